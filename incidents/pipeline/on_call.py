"""Who is on call, as people set it: somebody joins an order, leaves it, or is first this week.

Each Monday the next in an order is first. Whatever changes, this week's order stays as people saw it but for the change: the
stored positions are counted back from it, or one more person in the order would put somebody else on call at this moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction

from incidents.models import OnCall
from incidents.models.duty import week_of
from incidents.states import BadInput
from monitoring.models import Service
from teams import access, audit
from teams.models import User
from teams.roles import Verb


def join(*, actor: User, person: User, service: Service | None, today: date) -> None:
    """Put a person at the end of a service's order (None: the common one). Raises AccessRefused and BadInput."""
    _may_set(actor)
    if not access.may(person, Verb.ACKNOWLEDGE).allowed:
        raise BadInput(f"{person} may not answer: the role or the account does not allow it.")
    with transaction.atomic():
        order = _this_week(service, today)
        if any(row.person_id == person.pk for row in order):
            raise BadInput(f"{person} is in this order already.")
        place = OnCall.objects.create(service=service, person=person, position=len(order) + 1)
        _store(actor, [*order, place], today)
        audit.record(actor=actor, verb="oncall.added", target=place, after=_state(place))


def leave(*, actor: User, place: OnCall, today: date) -> None:
    """Take a place out of its order. Raises AccessRefused."""
    _may_set(actor)
    with transaction.atomic():
        order = _this_week(place.service, today)
        _store(actor, [row for row in order if row.pk != place.pk], today)
        audit.record(actor=actor, verb="oncall.deleted", target=place, before=_state(place))
        OnCall.objects.filter(pk=place.pk).delete()


def be_first(*, actor: User, place: OnCall, today: date) -> None:
    """Put a place first for this week; the others follow in the order they had. Raises AccessRefused."""
    _may_set(actor)
    with transaction.atomic():
        order = _this_week(place.service, today)
        first = [row for row in order if row.pk == place.pk]
        _store(actor, [*first, *(row for row in order if row.pk != place.pk)], today)


def _may_set(actor: User) -> None:
    ruling = access.may(actor, Verb.CONFIGURE)
    if not ruling.allowed:
        raise access.AccessRefused(ruling)


def _this_week(service: Service | None, today: date) -> list[OnCall]:
    """Return the places of an order as they stand this week, locked where the database locks rows."""
    found = OnCall.objects.select_for_update(of=("self",)).filter(service=service)
    rows = list(found.select_related("person").order_by("position", "id"))
    first = week_of(today) % len(rows) if rows else 0
    return [*rows[first:], *rows[:first]]


def _store(actor: User, wanted: Sequence[OnCall], today: date) -> None:
    """Store positions of which this week's order comes out; each that changed is one entry of the audit trail."""
    back = -(week_of(today) % len(wanted)) if wanted else 0
    for position, row in enumerate([*wanted[back:], *wanted[:back]] if back else wanted, start=1):
        if row.position == position:
            continue
        before, row.position = row.position, position
        row.save(update_fields=["position"])
        audit.record(
            actor=actor,
            verb="oncall.changed",
            target=row,
            before={"position": before},
            after={"position": position},
        )


def _state(place: OnCall) -> dict[str, int | None]:
    return {
        "id": place.pk,
        "service_id": place.service_id,
        "person_id": place.person_id,
        "position": place.position,
    }
