"""The contract of an announcer, held by the fake and by Apprise against a real receiver."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentops_site.integrations.apprise import AppriseAnnouncer, masked
from incidents.ports import AnnounceError, Announcer
from tests.fakes.announcer import FakeAnnouncer
from tests.standins import webhook

MESSAGE = {
    "title": "Shop is down",
    "body": "KeyError in cart",
    "link": "http://agentops.test/incidents/7/",
}
Received = Callable[[], list[str]]


@pytest.fixture
def hook(settings: Any) -> Iterator[webhook.Webhook]:
    """Have a receiver on the loopback, allowed for once."""
    settings.NOTIFY_PRIVATE_ADDRESSES = True
    with webhook.running() as running:
        yield running


@pytest.fixture(params=["fake", "apprise"])
def pair(request: pytest.FixtureRequest, hook: webhook.Webhook) -> tuple[Announcer, Received]:
    """Return an announcer, and what arrived as texts."""
    if request.param == "fake":
        fake = FakeAnnouncer()
        return fake, lambda: [f"{m['title']} {m['body']} {m['link']}" for m in fake.sent]
    return AppriseAnnouncer(), lambda: [f"{m['title']} {m['message']}" for m in hook.received]


def test_a_message_arrives_with_title_text_and_link(
    pair: tuple[Announcer, Received], hook: webhook.Webhook
) -> None:
    announcer, received = pair
    announcer.announce(address=hook.address, severity="blocker", **MESSAGE)
    assert len(received()) == 1
    for part in MESSAGE.values():
        assert part in received()[0]


def test_a_shown_address_hides_what_is_secret(
    pair: tuple[Announcer, Received], hook: webhook.Webhook
) -> None:
    assert "very-secret-path" not in pair[0].check(hook.address)


@pytest.mark.parametrize("status", [500, 404, 429, 302])
def test_a_refusal_is_an_error_without_the_address(hook: webhook.Webhook, status: int) -> None:
    hook.answers = [status]
    with pytest.raises(AnnounceError) as refused:
        AppriseAnnouncer().announce(address=hook.address, severity="low", **MESSAGE)
    assert "very-secret-path" not in str(refused.value)
    assert not refused.value.permanent
    assert hook.paths == ["/hook/very-secret-path"], "a redirect was followed"


def test_a_redirect_is_not_followed_when_the_address_asks_for_it(hook: webhook.Webhook) -> None:
    with pytest.raises(AnnounceError, match="redirect"):
        AppriseAnnouncer().check(f"{hook.address}?redirect=yes")


def test_a_receiver_that_never_answers_costs_only_the_limit(settings: Any) -> None:
    settings.NOTIFY_PRIVATE_ADDRESSES, settings.NOTIFY_TIMEOUT_SECONDS = True, 0.3
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(AnnounceError):
            AppriseAnnouncer().announce(
                address=f"json://127.0.0.1:{silent.getsockname()[1]}/", severity="low", **MESSAGE
            )
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1:9/x",
        "json://localhost/x",
        "json://[::1]/x",
        "jsons://10.1.2.3/x",
        "jsons://169.254.169.254/latest/meta-data",
        "jsons://[::ffff:192.168.0.1]/x",
        "jsons://[fe80::1]/x",
        "json://0.0.0.0/x",
        "mailto://user:word@example.com?smtp=127.0.0.1",
    ],
)
def test_addresses_inside_the_machine_or_its_network_are_refused(address: str) -> None:
    with pytest.raises(AnnounceError, match="inside") as refused:
        AppriseAnnouncer().check(address)
    assert refused.value.permanent


def test_a_name_that_leads_inside_only_when_sending_is_refused_too(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook.running() as hook:
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more)
        )
        with pytest.raises(AnnounceError, match="inside"):
            AppriseAnnouncer().announce(
                address=f"json://harmless.example.com:{hook.port}/", severity="low", **MESSAGE
            )
        assert hook.received == []


def test_the_guard_is_taken_down_again(hook: webhook.Webhook) -> None:
    before = socket.getaddrinfo
    AppriseAnnouncer().announce(address=hook.address, severity="low", **MESSAGE)
    assert socket.getaddrinfo is before


@pytest.mark.parametrize(
    "address",
    [
        "syslog://",
        "dbus://",
        "file:///etc/passwd",
        "http://example.com",
        "not an address",
        "",
        "slack://",
    ],
)
def test_only_listed_kinds_of_channel_are_taken(address: str) -> None:
    with pytest.raises(AnnounceError):
        AppriseAnnouncer().check(address)


@pytest.mark.parametrize(
    "parameter", ["pgpkey=/etc/passwd", "template=/etc/passwd", "retry=9", "wait=99"]
)
def test_parameters_that_reach_files_or_change_limits_are_refused(parameter: str) -> None:
    with pytest.raises(AnnounceError, match="not allowed"):
        AppriseAnnouncer().check(f"mailtos://user:word@example.com?{parameter}")


def test_masks_keep_the_kind_and_a_real_host_only() -> None:
    assert masked("slack://TA1B2C3D4/BA1B2C3D4/abcdef/#x") == "slack://…/…"
    assert (
        masked("jsons://user:word@hooks.example.com/secret?+X-Token=abc")
        == "jsons://hooks.example.com/…"
    )
