"""Addresses of the incident pages, of what people do there, and of the fragments that other pages include."""

from __future__ import annotations

from django.urls import path

from incidents.views import (
    agent,
    analytics,
    conversations,
    deeds,
    fragments,
    learning,
    notifications,
    on_call,
    own_fix,
    pages,
    public,
    reports,
)

app_name = "incidents"
urlpatterns = [
    path("", pages.incident_list, name="list"),
    path("incidents/<int:pk>/", pages.incident, name="incident"),
    path("incidents/<int:pk>/part/<slug:name>/", pages.part, name="part"),
    path("incidents/<int:pk>/diff/", pages.diff, name="diff"),
    path("incidents/<int:pk>/log/", pages.log, name="log"),
    path("incidents/<int:pk>/log.txt", pages.log_file, name="log_file"),
    path("incidents/<int:pk>/conversation/", conversations.conversation, name="conversation"),
    path("incidents/<int:pk>/comments/", deeds.comment, name="comment"),
    path("incidents/<int:pk>/propose/", own_fix.propose, name="propose"),
    path("incidents/<int:pk>/do/<slug:name>/", deeds.deed, name="deed"),
    path("incidents/fragments/header/health/", fragments.header_health, name="header_health"),
    path("incidents/fragments/header/agent/", fragments.header_agent, name="header_agent"),
    path("incidents/fragments/header/bell/", fragments.header_bell, name="header_bell"),
    path("incidents/fragments/of-service/<slug:slug>/", fragments.of_service, name="of_service"),
    path("incidents/fragments/public/", public.incidents, name="public"),
    path("incidents/fragments/team-work/", fragments.team_work, name="team_work"),
    path("team/on-call/", on_call.join, name="on_call_join"),
    path("team/on-call/<int:pk>/", on_call.change, name="on_call_change"),
    path("notifications/", notifications.page, name="notifications"),
    path("notifications/read/", notifications.mark_read, name="notifications_read"),
    path("notifications/<int:pk>/open/", notifications.open_one, name="notification_open"),
    path("notifications/settings/", notifications.settings_page, name="notification_settings"),
    path("notifications/channels/", notifications.add_channel, name="channel_add"),
    path("notifications/addresses/", notifications.addresses, name="addresses"),
    path(
        "notifications/channels/<int:pk>/change/",
        notifications.change_channel,
        name="channel_change",
    ),
    path("notifications/channels/<int:pk>/test/", notifications.test_channel, name="channel_test"),
    path(
        "notifications/channels/<int:pk>/remove/",
        notifications.remove_channel,
        name="channel_remove",
    ),
    path("reports/", reports.report_list, name="reports"),
    path("reports/<int:pk>/", reports.report, name="report"),
    path("reports/<int:pk>/print/", reports.print_view, name="report_print"),
    path("reports/<int:pk>/report.md", reports.download, name="report_download"),
    path("reports/<int:pk>/post-mortem/", reports.postmortem, name="report_postmortem"),
    path("reports/<int:pk>/follow-ups/", reports.add_follow_up, name="follow_up_add"),
    path("reports/follow-ups/<int:pk>/", reports.change_follow_up, name="follow_up_change"),
    path("learning/", learning.page, name="learning"),
    path("learning/<int:pk>/", learning.change, name="learning_change"),
    path("analytics/", analytics.page, name="analytics"),
    path("analytics/incidents.csv", analytics.download, name="analytics_csv"),
    path("agent/<slug:action>/", agent.switch, name="agent_switch"),
]
