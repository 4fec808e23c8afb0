"""Who is asked, in which order: first the person on call, then role by role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest

from incidents.models import Incident, OnCall
from incidents.models.duty import week_of
from monitoring.models import Service
from teams import access
from teams.models import User
from teams.roles import ASKING_ORDER, ROLE_WORDS, Role, Verb


@dataclass(frozen=True, kw_only=True)
class Group:
    """People who are told together. `words` name them for the timeline."""

    words: str
    people: Sequence[User]


def order_of(service: Service, day: date) -> list[User]:
    """Return the people on call for a service in the week of `day`, the first one first.

    A service without an order of its own has the common one. Who may not sign in any more is left out.
    """
    places = OnCall.objects.filter(service__in=[service.pk]) | OnCall.objects.filter(service=None)
    rows = list(places.select_related("person").order_by("position", "id"))
    own = [row for row in rows if row.service_id] or rows
    return rotated([row.person for row in own], day)


def rotated(people: Sequence[User], day: date) -> list[User]:
    """Return the order of a week: each Monday the next one is first; those who left are passed over."""
    if not people:
        return []
    first = week_of(day) % len(people)
    return [person for person in [*people[first:], *people[:first]] if person.is_admitted]


def ladder(incident: Incident, day: date) -> list[Group]:
    """Return whom a question climbs to: step by step the next on call together with the next role that may approve.

    At the end stand team lead and managers. Each person is on the first step that they belong to, and nobody twice; whoever
    proposed the fix or made the fault is on none.
    """
    on_call = [
        Group(words="on call", people=[person]) for person in order_of(incident.service, day)
    ]
    roles = [group for group in [*_approvers(incident), *_above()] if group.people]
    seen = incident.partial_people()  # who may not answer is not asked
    merged = (_merged(pair, seen) for pair in zip_longest(on_call, _once(roles)))
    return [group for group in merged if group.people]


def _once(groups: Sequence[Group]) -> list[Group]:
    """Return the groups without those whose people stand in earlier ones already."""
    kept: list[Group] = []
    for group in groups:
        if group.words not in {one.words for one in kept}:
            kept.append(group)
    return kept


def _merged(groups: Iterable[Group | None], seen: set[int]) -> Group:
    """Join groups into one step, leaving out and remembering who was on an earlier one."""
    words, people = [], []
    for group in groups:
        new = [person for person in group.people if person.pk not in seen] if group else []
        if group and new:
            seen |= {person.pk for person in new}
            people += new
            words.append(_named(group.words, new))
    return Group(words=" and ".join(words), people=people)


def _approvers(incident: Incident) -> list[Group]:
    found = access.people_who_may(
        Verb.APPROVE, severity=incident.severity, service=incident.service.slug
    )
    return [_of_role(found, role) for role in ASKING_ORDER]


def _above() -> list[Group]:
    everybody = list(User.objects.admitted())
    return [_of_role(everybody, role) for role in (Role.TEAM_LEAD, Role.MANAGER)]


def _of_role(people: Sequence[User], role: Role) -> Group:
    return Group(words=ROLE_WORDS[role], people=[one for one in people if one.role == role])


def _named(words: str, people: Sequence[User]) -> str:
    names = ", ".join(person.name for person in people[:3])
    return f"{names} ({words})"
