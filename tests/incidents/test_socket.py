"""The team's socket on a real server: who gets in, what comes, in which order, and when it ends."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.utils import timezone
from websockets.exceptions import InvalidStatus

from incidents.models import Comment, Incident
from incidents.timeline import note, tell
from monitoring.models import Service
from monitoring.realtime import publish
from teams.models import User
from teams.roles import Role
from tests.browser.fixtures import broker, data_folder, running_web, session_of, web
from tests.browser.stack import Broker, Web, wait_for
from tests.incidents import rows
from tests.incidents.sockets import Socket

__all__ = ["broker", "data_folder", "running_web", "web"]


@pytest.fixture
def service(web: Web) -> Service:
    return rows.shop()


def page_of(incident: Incident) -> str:
    seen = incident.timeline.order_by("-id").values_list("id", flat=True)[0]
    return f"incident-{incident.pk}&seen={seen}"


def step(incident: Incident, **fields: Any) -> None:
    """Change an incident and say so in one transaction, as every step does."""
    with transaction.atomic():
        incident.touch(**fields)
        note(incident, "acknowledged", "Shweta looks at it.")


def section(text: str, name: str) -> str:
    """Return the last pushed section of the list, or nothing."""
    found = re.findall(rf'<section [^>]*id="{name}".*?</section>', text, re.DOTALL)
    return str(found[-1]) if found else ""


def test_nobody_is_told_to_sign_in(web: Web) -> None:
    with Socket(web, None) as socket:
        assert socket.closed() == 4401


@pytest.mark.parametrize("origin", ["https://evil.example", None])
def test_another_origin_is_refused(web: Web, shweta: User, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Socket(web, shweta, origin=origin)
    assert refused.value.response.status_code == 403


def test_a_role_without_the_right_to_look_is_told_so(web: Web, viewer: User) -> None:
    from teams.models import MatrixRow

    MatrixRow.objects.filter(role=Role.VIEWER).delete()
    with Socket(web, viewer) as socket:
        assert socket.closed() == 4403


def test_the_twenty_first_page_of_a_person_is_not_live(web: Web, shweta: User, yash: User) -> None:
    session = session_of(shweta)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(Socket(web, shweta, session=session)).settle()
        late = stack.enter_context(Socket(web, shweta, session=session))
        assert late.closed() == 4429
        stack.enter_context(Socket(web, yash)).settle()  # others are not concerned


def test_signing_out_ends_the_socket_of_that_session_only(web: Web, shweta: User) -> None:
    client = Client()
    client.force_login(shweta, backend="teams.backend.PeopleBackend")
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    with Socket(web, shweta, session=key) as gone, Socket(web, shweta) as stays:
        gone.settle()
        stays.settle()
        client.logout()
        assert gone.closed() == 4401
        stays.settle()


def test_deactivation_ends_the_socket(web: Web, shweta: User) -> None:
    with Socket(web, shweta) as socket:
        socket.settle()
        shweta.is_active = False
        shweta.save()
        assert socket.closed() == 4401


def test_deactivation_behind_our_back_is_seen_on_the_beat(web: Web, shweta: User) -> None:
    with Socket(web, shweta) as socket:
        socket.settle()
        User.objects.filter(pk=shweta.pk).update(is_active=False)
        assert socket.closed() == 4401


def test_another_role_makes_the_page_read_itself_again(web: Web, yash: User) -> None:
    with Socket(web, yash) as socket:
        socket.settle()
        yash.role = Role.JUNIOR_DEV
        yash.save()
        assert socket.closed() == 4408


def test_a_new_password_ends_the_socket(web: Web, yash: User) -> None:
    with Socket(web, yash) as socket:
        socket.settle()
        yash.set_password("another long password")
        yash.save()
        assert socket.closed() == 4401


def test_each_role_gets_its_own_buttons_and_no_token(
    web: Web, service: Service, shweta: User, bhumika: User
) -> None:
    incident = rows.asked(service)
    with (
        Socket(web, shweta, page_of(incident)) as lead,
        Socket(web, bhumika, page_of(incident)) as junior,
    ):
        lead.settle()
        junior.settle()
        step(incident, severity="critical", acknowledged_at=timezone.now())
        told = lead.until(lambda text: 'id="incident-decision"' in text)
        refused = junior.until(lambda text: "this is critical" in text)
    assert 'id="approve-dialog"' in told
    assert 'id="approve-dialog"' not in refused
    assert "Your role may approve up to low; this is critical; ask Shweta (team lead)." in refused
    assert "csrfmiddlewaretoken" not in told


def test_the_proposer_sees_that_nobody_approves_their_own(
    web: Web, service: Service, shweta: User, yash: User
) -> None:
    shweta_too = yash
    User.objects.filter(pk=yash.pk).update(role=Role.TEAM_LEAD)
    incident = rows.asked(service)
    incident.fixes.update(proposer=shweta)
    with (
        Socket(web, shweta, page_of(incident)) as own,
        Socket(web, shweta_too, page_of(incident)) as other,
    ):
        own.settle()
        other.settle()
        step(incident, acknowledged_at=timezone.now())
        refused = own.until(lambda text: 'id="incident-decision"' in text)
        told = other.until(lambda text: 'id="approve-dialog"' in text)
    assert "Nobody approves their own proposal" in refused
    assert "Nobody approves their own proposal" not in told


def test_forty_entries_arrive_in_order_and_once(web: Web, service: Service, shweta: User) -> None:
    incident = rows.incident(service)
    with (
        Socket(web, shweta, page_of(incident)) as first,
        Socket(web, shweta, page_of(incident)) as second,
    ):
        first.settle()
        second.settle()
        written = [note(incident, "joined", f"Seen again {n}").pk for n in range(40)]
        for socket in (first, second):
            socket.until(lambda text: f"entry-{written[-1]}" in text)
            assert socket.entries == written


def test_what_happened_before_the_socket_was_open_comes_at_once(
    web: Web, service: Service, shweta: User
) -> None:
    incident = rows.incident(service)
    page = page_of(incident)
    entry = rows.say(incident, "evidence", "Evidence collected.")
    with Socket(web, shweta, page) as socket:
        socket.until(lambda text: f"entry-{entry.pk}" in text and 'id="incident-head"' in text)
        assert socket.entries == [entry.pk]


def test_a_change_and_its_entry_come_in_one_message(
    web: Web, service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    with Socket(web, shweta, page_of(incident)) as socket:
        socket.settle()
        with transaction.atomic():  # as every step does
            incident.touch(waits_for="Somebody is asked.")
            entry = note(incident, "joined", "Seen again")
        socket.until(lambda text: f'id="entry-{entry.pk}"' in text)
        came = [text for text in socket.got if f'id="entry-{entry.pk}"' in text]
        assert 'id="incident-head"' in came[0]
        assert came[0].index("incident-head") < came[0].index("beforeend:#timeline")


def test_a_comment_is_appended_and_escaped(web: Web, service: Service, shweta: User) -> None:
    incident = rows.incident(service)
    with Socket(web, shweta, page_of(incident)) as socket:
        socket.settle()
        Comment.objects.create(incident=incident, author=shweta, text="<script>alert(1)</script>")
        note(incident, "comment", "Shweta commented.", actor="Shweta")
        told = socket.until(lambda text: "beforeend:#comments" in text)
    assert "&lt;script&gt;" in told
    assert "<script" not in told


def test_the_list_moves_an_incident_to_those_who_may_decide(
    web: Web, service: Service, shweta: User, bhumika: User
) -> None:
    incident = rows.incident(service, severity="high")
    with Socket(web, shweta, "list") as lead, Socket(web, bhumika, "list") as junior:
        lead.settle()
        junior.settle()
        step(incident, status="AWAITING_APPROVAL")
        link = f'href="/incidents/{incident.pk}/"'
        lead.until(lambda text: link in section(text, "list-needs"))
        junior.until(lambda text: link in section(text, "list-waits"))
        assert link not in section(junior.text, "list-needs")
        assert link not in section(lead.text, "list-working")


def test_a_filtered_list_is_told_to_read_itself_again(
    web: Web, service: Service, shweta: User
) -> None:
    incident = rows.incident(service)
    with Socket(web, shweta, "list&query=group%3Dall%26q%3Dx%22y") as socket:
        socket.settle()
        tell(incident)
        told = socket.until(lambda text: "list-signal" in text)
    assert 'hx-get="/?group=all&amp;q=x&quot;y"' in told
    assert 'id="list-needs"' not in told


def test_what_changed_while_the_broker_was_away_comes_when_it_is_back(
    web: Web, service: Service, shweta: User, broker: Broker
) -> None:
    incident = rows.incident(service)
    with Socket(web, shweta, page_of(incident)) as socket:
        socket.settle()
        broker.stop()
        try:
            entry = note(incident, "evidence", "Evidence collected.")
        finally:
            broker.start()
        socket.until(lambda text: f"entry-{entry.pk}" in text)
        assert socket.entries == [entry.pk]


def test_what_a_publisher_without_a_broker_could_not_tell_comes_all_the_same(
    web: Web, service: Service, shweta: User, settings: Any
) -> None:
    incident = rows.incident(service)
    with Socket(web, shweta, page_of(incident)) as socket, Socket(web, shweta, "list") as team:
        socket.settle()
        team.settle()
        for words in ("The line is up.", "What was under way then is over."):
            heard = note(incident, "evidence", words).pk
            socket.until(lambda text, pk=heard: f"entry-{pk}" in text)  # type: ignore[misc]
        settings.REDIS_URL = (
            "redis://127.0.0.1:1/0"  # of the worker alone: the pages' line stays up
        )
        with transaction.atomic():
            incident.touch(status="AWAITING_APPROVAL")
            unheard = note(incident, "asked", "Nobody hears of this.")
        socket.until(lambda text: f"entry-{unheard.pk}" in text)
        link = f'href="/incidents/{incident.pk}/"'
        team.until(lambda text: link in section(text, "list-needs"))


def whole_head(text: str) -> bool:
    """Return whether everything that concerns every page came: health, agent, bell and the question for the voice."""
    ids = ("header-health", "agent-state", "bell", "voice-signal")
    return all(f'id="{name}"' in text for name in ids)


def test_what_was_told_before_the_line_was_up_reaches_every_page(
    web: Web, shweta: User, broker: Broker
) -> None:
    broker.stop()
    try:
        with Socket(web, shweta) as socket:
            socket.settle()
            publish("speech", {"id": 1})  # nobody hears it
            broker.start()
            socket.until(whole_head)
    finally:
        broker.start()


def test_what_was_told_between_a_page_and_its_socket_reaches_it(web: Web, shweta: User) -> None:
    with Socket(web, shweta) as first:
        first.until(whole_head)  # the line is up
        publish("speech", {"id": 1})
        first.until(lambda text: text.count('id="voice-signal"') == 2)
        with Socket(web, shweta) as made_before:
            made_before.until(whole_head)


def test_a_page_that_is_too_far_behind_reads_itself_again_instead_of_falling_silent(
    web: Web, service: Service, shweta: User
) -> None:
    incident = rows.incident(service)
    with Socket(web, shweta, page_of(incident)) as socket:
        socket.settle()
        note(incident, "joined", "x" * 300_000)  # more than one message may hold
        assert socket.closed() == 4408


@pytest.fixture
def impatient(data_folder: Any, broker: Broker, web: Web) -> Iterator[Web]:
    """Give a server that cuts a line after a second."""
    other = Web(data_folder, broker, "agentops_site.serve", "--port", "{port}", "--patience", "1")
    other.start()
    yield other
    other.kill()


def stall(web: Web, incident: Incident, person: User) -> None:
    """Have the server send more than an open line that nobody reads from takes, until it has come to the last of it."""
    with Socket(web, person, page_of(incident)) as awake:
        awake.settle()
        written = [note(incident, "joined", "again " * 2000).pk for _ in range(100)]
        awake.until(lambda text: f"entry-{written[-1]}" in text, limit=60)
        assert awake.entries == written


def test_a_stalled_page_holds_up_nobody(web: Web, service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    with Socket(web, shweta, page_of(incident), narrow=True):
        stall(web, incident, shweta)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="a kernel that does not cut")
def test_a_line_that_takes_nothing_is_cut(impatient: Web, service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    with Socket(impatient, shweta, page_of(incident), narrow=True) as stalled:
        port = stalled.line.socket.getsockname()[1]
        stall(impatient, incident, shweta)
        wait_for(lambda: port not in impatient.lines())


def test_lines_that_break_while_they_are_sent_to_leave_nothing_behind(
    web: Web, service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    session = session_of(shweta)
    logged = len(web.log.read_text())
    with ExitStack() as stack:
        stalled = [
            stack.enter_context(
                Socket(web, shweta, page_of(incident), session=session, narrow=True)
            )
            for _ in range(3)
        ]
        stall(web, incident, shweta)
        ports = {line.line.socket.getsockname()[1] for line in stalled}
        for line in stalled:
            line.line.send("ping")  # what answers it waits for the line as well
            line.reset()
        wait_for(lambda: not ports & web.lines())
        for _ in range(20):  # as many as a person may have open
            stack.enter_context(Socket(web, shweta, session=session)).settle()
    assert "Traceback" not in web.log.read_text()[logged:]


def test_a_page_that_talks_is_cut_off(web: Web, shweta: User) -> None:
    with Socket(web, shweta) as socket:
        socket.line.send("x" * 5_000)
        assert socket.closed() == 1009  # too big


def test_it_works_under_daphne_too(
    data_folder: Any, broker: Broker, web: Web, service: Service, shweta: User
) -> None:
    application = "agentops_site.asgi:application"
    other = Web(data_folder, broker, "daphne", "-b", "127.0.0.1", "-p", "{port}", application)
    other.start()
    try:
        incident = rows.incident(service)
        with Socket(other, shweta, page_of(incident)) as socket:
            socket.settle()
            entry = note(incident, "evidence", "Evidence collected.")
            socket.until(lambda text: f"entry-{entry.pk}" in text)
        with Socket(other, None) as nobody:
            assert nobody.closed() == 4401
    finally:
        other.kill()
