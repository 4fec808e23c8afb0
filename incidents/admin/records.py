"""Incidents and what was done about them, to read. What the console does to them goes through the domain functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from unfold.admin import ModelAdmin

from incidents.models import (
    ClearanceReport,
    Decision,
    Deployment,
    Incident,
    LearningRecord,
    LostLease,
)
from incidents.pipeline import people
from incidents.pipeline.gates import Conflict
from incidents.states import IllegalTransition
from teams.access import AccessRefused
from teams.audited_admin import NeverWritten
from teams.cut import cut
from teams.models import User

TITLE = cut("title")
REFUSALS = (AccessRefused, Conflict, IllegalTransition, LostLease)


class ReadOnly(NeverWritten, ModelAdmin):  # type: ignore[misc]
    """Rows that the product writes and nobody edits. Who may look: the group's permission to view."""

    list_per_page = 50
    show_full_result_count = False


@admin.register(Incident)
class IncidentAdmin(ReadOnly):
    """Incidents, with what a person may do from a list."""

    list_display = ("id", TITLE, cut("service"), "status", "severity", "category", "detected_at", "assignee", "auto_resolved")  # fmt: skip
    list_display_links = ("id", TITLE)
    list_filter = ("status", "severity", "category", "auto_resolved", "service", "detected_at")
    list_select_related = ("service", "assignee")
    search_fields = ("title", "fingerprint", "service__name")
    actions = ("acknowledge", "take_over", "hand_back", "reopen")
    exclude = ("failure", "lease", "lease_until")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Incident]:
        """Leave the failure's tracebacks in the database."""
        found: QuerySet[Incident] = super().get_queryset(request)
        return found.defer("failure")

    def view_on_site(self, obj: Incident) -> str:
        """Lead to the page of the incident, where everything is."""
        return reverse("incidents:incident", args=[obj.pk])

    @admin.action(description="Acknowledge")
    def acknowledge(self, request: HttpRequest, chosen: QuerySet[Incident]) -> None:
        """Say that the chosen incidents were seen."""
        self._each(request, chosen, people.acknowledge)

    @admin.action(description="Take over: the agent's hands off")
    def take_over(self, request: HttpRequest, chosen: QuerySet[Incident]) -> None:
        """Take the chosen incidents over."""
        self._each(request, chosen, people.take_over)

    @admin.action(description="Hand back to the agent")
    def hand_back(self, request: HttpRequest, chosen: QuerySet[Incident]) -> None:
        """Give the chosen incidents back."""
        self._each(request, chosen, people.hand_back)

    @admin.action(description="Reopen")
    def reopen(self, request: HttpRequest, chosen: QuerySet[Incident]) -> None:
        """Start the work on the chosen incidents again."""
        self._each(request, chosen, people.reopen)

    def _each(
        self, request: HttpRequest, chosen: QuerySet[Incident], act: Callable[..., object]
    ) -> None:
        """Do one act to each, as the page would, and say for which it was refused and why."""
        done = 0
        for pk in chosen.values_list("pk", flat=True):
            try:
                act(incident_id=pk, person=cast(User, request.user))
                done += 1
            except REFUSALS as refused:
                messages.error(request, f"#{pk}: {refused}")
        if done:
            messages.success(request, f"Done for {done}.")


@admin.register(Decision)
class DecisionAdmin(ReadOnly):
    """What was decided, by whom, on which digests."""

    list_display = ("created_at", cut("incident"), "kind", "actor", "severity", "score", "needed_role", "voided_at")  # fmt: skip
    list_filter = ("kind", "severity", "created_at")
    list_select_related = ("incident", "actor")
    search_fields = ("incident__title", "actor__email", "fix_digest")
    ordering = ("-id",)


@admin.register(Deployment)
class DeploymentAdmin(ReadOnly):
    """What went live, and how it ended."""

    list_display = ("started_at", cut("incident"), "automatic", "state", "healthy_at", "settled_at", "undone_at")  # fmt: skip
    list_filter = ("state", "automatic", "started_at")
    list_select_related = ("incident",)
    search_fields = ("incident__title", "fix__digest")
    ordering = ("-id",)
    exclude = ("kept", "kept_environment")


@admin.register(ClearanceReport)
class ClearanceReportAdmin(ReadOnly):
    """Reports; their pages show them whole."""

    list_display = ("created_at", TITLE, cut("incident"), "postmortem_at")
    list_filter = ("created_at",)
    list_select_related = ("incident",)
    search_fields = ("search",)
    fields = ("title", "incident", "attempt", "created_at", "postmortem")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ClearanceReport]:
        """Leave the large columns in the database."""
        found: QuerySet[ClearanceReport] = super().get_queryset(request)
        return found.defer("body", "markdown")

    def view_on_site(self, obj: ClearanceReport) -> str:
        """Lead to the report's page."""
        return reverse("incidents:report", args=[obj.pk])


@admin.register(LearningRecord)
class LearningRecordAdmin(ReadOnly):
    """What was learned. Leaving a record out wants a reason: that is done on the learning page."""

    list_display = ("at", "kind", "category", "fix_kind", cut("service_slug"), "confidence", "held", "excluded_at")  # fmt: skip
    list_filter = ("kind", "held", "category", ("excluded_at", admin.EmptyFieldListFilter))
    search_fields = ("fingerprint", "service_slug", "incident__title")
    ordering = ("-id",)
