"""Who is on call is set from the team page: by whom it may be, on record, and without putting anybody else on call."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from incidents.alerts.duty import order_of
from incidents.models import OnCall
from incidents.pipeline import on_call
from incidents.states import BadInput
from monitoring.models import Service
from teams.access import AccessRefused
from teams.models import AuditEntry, User
from tests.incidents import made

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
TODAY = timezone.now().date()
WEEKS = [TODAY + timedelta(days=7 * number) for number in range(6)]


def verbs() -> list[str]:
    return list(AuditEntry.objects.order_by("sequence").values_list("verb", flat=True))


def joined(service: Service, lead: User, *others: User, today: date) -> None:
    """Have the lead put themselves and the others on call, in this order."""
    for person in (lead, *others):
        on_call.join(actor=lead, person=person, service=service, today=today)


@pytest.fixture
def service() -> Service:
    return made.service(name="Cart", slug="cart")


@pytest.mark.parametrize("today", WEEKS)
def test_who_joins_comes_last_and_who_is_on_call_stays_so(
    service: Service, shweta: User, yash: User, bhumika: User, today: date
) -> None:
    joined(service, shweta, yash, bhumika, today=today)
    assert order_of(service, today) == [shweta, yash, bhumika]
    on_call.leave(actor=shweta, place=OnCall.objects.get(person=yash), today=today)
    assert order_of(service, today) == [shweta, bhumika]
    assert order_of(service, today + timedelta(days=7)) == [bhumika, shweta]


@pytest.mark.parametrize("today", WEEKS)
def test_who_is_put_first_is_on_call_now_and_the_others_follow(
    service: Service, shweta: User, yash: User, bhumika: User, today: date
) -> None:
    joined(service, shweta, yash, bhumika, today=today)
    on_call.be_first(actor=shweta, place=OnCall.objects.get(person=bhumika), today=today)
    assert order_of(service, today) == [bhumika, shweta, yash]


def test_every_change_is_on_record(service: Service, shweta: User, yash: User) -> None:
    on_call.join(actor=shweta, person=yash, service=None, today=TODAY)
    place = OnCall.objects.get()
    on_call.leave(actor=shweta, place=place, today=TODAY)
    added, deleted = AuditEntry.objects.order_by("sequence")
    assert (added.verb, added.actor) == ("oncall.added", shweta.email)
    assert f'"person_id":{yash.pk}' in added.after_json
    assert deleted.verb == "oncall.deleted"
    assert f'"person_id":{yash.pk}' in deleted.before_json
    joined(service, shweta, yash, today=TODAY)
    on_call.be_first(actor=shweta, place=OnCall.objects.get(person=yash), today=TODAY)
    assert "oncall.changed" in verbs()


def test_nobody_joins_twice_nor_who_may_not_answer(
    service: Service, shweta: User, yash: User, viewer: User
) -> None:
    on_call.join(actor=shweta, person=yash, service=service, today=TODAY)
    with pytest.raises(BadInput, match="already"):
        on_call.join(actor=shweta, person=yash, service=service, today=TODAY)
    with pytest.raises(BadInput, match="may not answer"):
        on_call.join(actor=shweta, person=viewer, service=service, today=TODAY)
    User.objects.filter(pk=yash.pk).update(is_active=False)
    with pytest.raises(BadInput, match="may not answer"):
        on_call.join(actor=shweta, person=yash, service=None, today=TODAY)
    assert OnCall.objects.count() == 1


def test_whose_role_may_not_is_refused_also_without_a_page(
    client: Client, service: Service, shweta: User, yash: User
) -> None:
    place = OnCall.objects.create(service=service, person=shweta)
    for act in (on_call.leave, on_call.be_first):
        with pytest.raises(AccessRefused):
            act(actor=yash, place=place, today=TODAY)
    client.force_login(yash)
    assert client.post(f"/team/on-call/{place.pk}/", {"to": "out"}).status_code == 403
    assert client.post("/team/on-call/", {"person": yash.pk}).status_code == 403
    assert "Put on call" not in client.get("/incidents/fragments/team-work/").content.decode()
    assert OnCall.objects.get() == place


def test_the_form_works_with_and_without_scripts(
    client: Client, service: Service, shweta: User, yash: User
) -> None:
    client.force_login(shweta)
    page = client.get("/incidents/fragments/team-work/").content.decode()
    assert "Put on call" in page
    to = client.post("/team/on-call/", {"person": yash.pk, "service": "cart"})
    assert (to.status_code, to["Location"]) == (302, "/team/")
    part = client.post("/team/on-call/", {"person": shweta.pk, "service": "cart"}, headers=HTMX)
    assert 'id="duty"' in part.content.decode()
    assert "is in the order" in part["HX-Trigger"]
    place = OnCall.objects.get(person=shweta)
    client.post(f"/team/on-call/{place.pk}/", {"to": "first"}, headers=HTMX)
    assert order_of(service, timezone.now().date()) == [shweta, yash]
    client.post(f"/team/on-call/{place.pk}/", {"to": "out"}, headers=HTMX)
    assert order_of(service, timezone.now().date()) == [yash]


@pytest.mark.parametrize(
    "given",
    [{}, {"person": "x"}, {"person": "9" * 30}, {"person": "{yash}", "service": "gone\0"}],
)
def test_nonsense_changes_nothing(
    client: Client, shweta: User, yash: User, given: dict[str, str]
) -> None:
    client.force_login(shweta)
    data = {name: value.format(yash=yash.pk) for name, value in given.items()}
    answer = client.post("/team/on-call/", data, headers=HTMX)
    assert "Choose a person" in answer["HX-Trigger"]
    assert not OnCall.objects.exists()
    assert client.post("/team/on-call/99999/", {"to": "out"}).status_code == 404


@pytest.mark.parametrize("to", ["", "last", "first\0"])
def test_a_place_is_changed_only_as_was_asked(
    client: Client, service: Service, shweta: User, yash: User, to: str
) -> None:
    joined(service, shweta, yash, today=TODAY)
    before, place = order_of(service, TODAY), OnCall.objects.get(person=yash)
    client.force_login(shweta)
    answer = client.post(f"/team/on-call/{place.pk}/", {"to": to}, headers=HTMX)
    assert "Choose: first" in answer["HX-Trigger"]
    assert order_of(service, TODAY) == before


def test_who_left_is_named_so_that_the_place_can_be_taken_out(
    client: Client, service: Service, shweta: User, yash: User
) -> None:
    place = OnCall.objects.create(service=service, person=yash)
    User.objects.filter(pk=yash.pk).update(is_active=False)
    client.force_login(shweta)
    page = client.get("/incidents/fragments/team-work/").content.decode()
    assert "not active any more" in page
    assert f"/team/on-call/{place.pk}/" in page


def test_the_console_names_the_order_of_every_other_service(
    client: Client, maya: User, yash: User
) -> None:
    OnCall.objects.create(person=yash)
    client.force_login(maya)
    assert "every other service" in client.get("/admin/incidents/oncall/").content.decode()
