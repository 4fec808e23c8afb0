"""Whom an incident may be given to."""

from __future__ import annotations

from typing import Any

import pytest

from incidents.pipeline import people
from incidents.states import BadInput
from teams.models import User
from tests.incidents import made


@pytest.mark.parametrize("left", [{"is_active": False}, {"is_demo": True}])
def test_nothing_is_given_to_who_cannot_sign_in(
    shweta: User, yash: User, settings: Any, left: dict[str, bool]
) -> None:
    settings.DEMO_MODE = False
    User.objects.filter(pk=yash.pk).update(**left)
    incident = made.incident()
    with pytest.raises(BadInput, match="not active"):
        people.assign(incident_id=incident.pk, person=shweta, assignee=User.objects.get(pk=yash.pk))
    incident.refresh_from_db()
    assert incident.assignee is None
