"""The team page's part that incidents serve: who is on call, what was decided, what is open."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.utils import timezone

from incidents.alerts.duty import order_of
from incidents.models import OnCall
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
    assert [row["first"], *row["then"]] == order_of(service, timezone.now().date())
    page = answer.content.decode()
    assert "Yash: approve" in page
    assert "Cart is down" in page


def test_it_costs_the_same_for_few_and_for_many(
    client: Client, shweta: User, yash: User, django_assert_max_num_queries: Any
) -> None:
    client.force_login(shweta)

    def grow(number: int) -> None:
        for _ in range(number):
            service = made.service()
            OnCall.objects.create(service=service, person=yash)
            made.deployed(made.incident(service, assignee=yash), by=yash)

    grow(2)
    client.get(PAGE)
    with django_assert_max_num_queries(30) as few:
        client.get(PAGE)
    grow(8)
    with django_assert_max_num_queries(len(few)):
        client.get(PAGE)
