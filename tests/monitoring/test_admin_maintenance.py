"""A maintenance window that a manager sets in the console ends, and ends later than now."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from monitoring.models import Service
from teams.models import User
from tests.monitoring.conftest import MakeService


@pytest.fixture
def console(client: Client, maya: User) -> Client:
    client.force_login(maya)
    return client


def objections(console: Client, service: Service, until: datetime) -> list[str]:
    """Store the service's own form with another end of its window, and return what the console says of that field."""
    path = f"/admin/monitoring/service/{service.pk}/change/"
    form = console.get(path).context["adminform"].form
    shown = {bound.html_name: bound.value() for bound in form}
    data = {name: value for name, value in shown.items() if value not in (None, False)}
    data = {
        name: form[name].field.prepare_value(value) if name in form.fields else value
        for name, value in data.items()
    }
    data.pop("maintenance_until", None)
    data |= {"maintenance_until_0": f"{until:%Y-%m-%d}", "maintenance_until_1": f"{until:%H:%M:%S}"}
    answer = console.post(path, data)
    if answer.status_code == 302:
        return []
    return [
        str(error) for error in answer.context["adminform"].form.errors.get("maintenance_until", [])
    ]


def test_a_window_in_the_past_is_refused_and_a_later_one_is_not(
    console: Client, make_service: MakeService
) -> None:
    service, hour = make_service(), timedelta(hours=1)
    [said] = objections(console, service, timezone.now() - hour)
    assert "This time is past" in said
    service.refresh_from_db()
    assert service.maintenance_until is None
    assert objections(console, service, timezone.now() + hour) == []


def test_a_window_that_is_over_does_not_stand_in_the_way_of_another_change(
    console: Client, make_service: MakeService
) -> None:
    over = timezone.now().replace(microsecond=0) - timedelta(days=1)
    service = make_service(maintenance_until=over)
    assert objections(console, service, over) == []
