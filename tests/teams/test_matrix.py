"""The matrix of a new installation, written down as people read it."""

from __future__ import annotations

import pytest

from teams.access import may
from teams.models import User
from teams.roles import BY_SEVERITY, SEVERITIES, Verb

pytestmark = pytest.mark.django_db

#                     lead      senior    junior   manager  viewer
TABLE = """
view                  yes       yes       yes      yes      yes
comment               yes       yes       yes      yes      no
approve               blocker   medium    low      no       no
reject                blocker   medium    low      no       no
request_changes       blocker   medium    no       no       no
choose_candidate      blocker   medium    no       no       no
override              yes       no        no       no       no
propose               yes       yes       yes      no       no
assign                yes       yes       no       no       no
acknowledge           yes       yes       yes      no       no
take_over             yes       yes       no       no       no
resolve               yes       yes       no       no       no
reopen                yes       yes       no       no       no
inject_fault          yes       no        no       yes      no
restore               yes       no        no       yes      no
pause_agent           yes       no        no       yes      no
configure             yes       no        no       yes      no
send_read             yes       yes       yes      no       no
send_write            yes       no        no       no       no
simulate_traffic      yes       yes       no       no       no
view_reports          yes       yes       no       yes      no
write_postmortem      yes       yes       no       no       no
exclude_learning      yes       no        no       yes      no
view_audit            yes       no        no       yes      no
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


def reach(person: User, verb: str) -> str:
    """Return "yes", "no" or the highest severity that is allowed."""
    if Verb(verb) not in BY_SEVERITY:
        return "yes" if may(person, verb).allowed else "no"
    allowed = [word for word in SEVERITIES if may(person, verb, severity=word).allowed]
    assert allowed == list(SEVERITIES[: len(allowed)]), "a right that skips a severity"
    return allowed[-1] if allowed else "no"


def test_the_table_names_every_verb() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(Verb)


@pytest.fixture
def team(shweta: User, yash: User, bhumika: User, maya: User, viewer: User) -> list[User]:
    """Return one person of each role, in the order of the table's columns."""
    return [shweta, yash, bhumika, maya, viewer]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_role_may_what_the_table_says(row: list[str], team: list[User]) -> None:
    verb, *expected = row
    assert [reach(person, verb) for person in team] == expected
