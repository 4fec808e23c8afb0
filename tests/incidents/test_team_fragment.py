"""The team page's part that incidents serve: who is on call, what was decided, what is open."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.utils import timezone

from incidents.alerts.duty import order_of
from incidents.models import ClearanceReport, FollowUp, OnCall
from teams.models import User
from tests.incidents import made

PAGE = "/incidents/fragments/team-work/"


def test_it_says_who_is_on_call_and_who_decided_what(
    client: Client, shweta: User, yash: User
) -> None:
    service = made.service(name="Cart")
    for person in (shweta, yash):
        OnCall.objects.create(service=service, person=person)
    made.deployed(made.incident(service, title="Cart is down", status="RESOLVED"), by=yash)
    client.force_login(shweta)
    answer = client.get(PAGE)
    [row] = answer.context["on_call"]
    assert [one["person"] for one in row["people"]] == order_of(service, timezone.now().date())
    page = answer.content.decode()
    assert "Yash approved" in page
    assert "Cart is down" in page
    assert page.index("Open work") < page.index("Decided lately")  # what is to be done comes first


def test_follow_ups_are_open_work_of_whom_they_are_given_to(
    client: Client, shweta: User, yash: User
) -> None:
    report = ClearanceReport.objects.create(incident=made.incident(status="RESOLVED"), attempt=1)
    FollowUp.objects.create(report=report, text="Add a test", assignee=yash)
    FollowUp.objects.create(report=report, text="Nobody's yet")
    FollowUp.objects.create(report=report, text="Done", assignee=yash, done_at=timezone.now())
    client.force_login(shweta)
    answer = client.get(PAGE)
    [group] = answer.context["people"]
    assert (group["person"], [row.text for row in group["follow_ups"]]) == (yash, ["Add a test"])
    assert f'href="/reports/{report.pk}/">Add a test</a>' in answer.content.decode()


def test_it_costs_the_same_for_few_and_for_many(
    client: Client, shweta: User, yash: User, django_assert_max_num_queries: Any
) -> None:
    client.force_login(shweta)

    def grow(number: int) -> None:
        for _ in range(number):
            service = made.service()
            OnCall.objects.create(service=service, person=yash)
            incident = made.incident(service, assignee=yash)
            made.deployed(incident, by=yash)
            report = ClearanceReport.objects.create(incident=incident, attempt=1)
            FollowUp.objects.create(report=report, text="Add a test", assignee=yash)

    grow(2)
    client.get(PAGE)
    with django_assert_max_num_queries(30) as few:
        client.get(PAGE)
    grow(8)
    with django_assert_max_num_queries(len(few)):
        client.get(PAGE)
