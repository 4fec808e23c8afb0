"""One incident full of secrets with every vendor set up: no canary is in any byte that left, in our log, or in the report."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from agentops_site import speaking
from agentops_site.integrations.apprise import AppriseAnnouncer
from incidents.alerts import deliver
from incidents.models import ClearanceReport, Incident, NotificationChannel
from teams.models import User
from tests.incidents.world import detected, insert, restart, run, running_shop
from tests.integrations.claude.conftest import claude_first
from tests.integrations.claude.scripts import diagnosis, final
from tests.standins import anthropic_api, elevenlabs_api, webhook, white_circle_api
from tests.standins.anthropic_api import AnthropicStandIn, text, tool
from tests.standins.elevenlabs_api import ElevenLabsStandIn
from tests.standins.white_circle_api import WhiteCircleStandIn

__all__ = ["claude_first"]

pytestmark = pytest.mark.django_db(transaction=True)
CANARIES = {
    "environment": "c4nary-env-8d1f", "code": "c4nary-code-77aa", "error": "c4nary-error-5e5e",
    "mail": "canary.bird@example.com",
}  # fmt: skip
BUG = (
    f'    raise ValueError("{CANARIES["mail"]} refused: token={CANARIES["error"]} '
    f'for {CANARIES["environment"]}")\n'
)
TAKE_OUT = {"kind": "edit", "path": "handler.py", "old": "", "new": ""}


@dataclass(frozen=True, kw_only=True)
class Outside:
    """Everybody who is told something."""

    claude: AnthropicStandIn
    white_circle: WhiteCircleStandIn
    elevenlabs: ElevenLabsStandIn
    hook: webhook.Webhook

    def heard(self) -> dict[str, bytes]:
        """Return what each of them got."""
        return {
            "Claude": bytes(self.claude.raw),
            "White Circle": bytes(self.white_circle.raw),
            "ElevenLabs": bytes(self.elevenlabs.raw),
            "notifications": json.dumps(self.hook.received, ensure_ascii=False).encode(),
        }


@pytest.fixture
def outside(settings: Any, tmp_path: Path, claude_first: None) -> Iterator[Outside]:
    """Return all four, set up as by `.env`."""
    base = "agentops_site.integrations"
    with (
        AnthropicStandIn() as claude,
        WhiteCircleStandIn() as white_circle,
        ElevenLabsStandIn() as elevenlabs,
        webhook.running() as hook,
    ):
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = anthropic_api.KEY, claude.url
        settings.SUMMARISER = f"{base}.claude.ClaudeSummariser"
        settings.WHITECIRCLE_API_KEY = white_circle_api.KEY
        settings.WHITECIRCLE_API_URL = f"{white_circle.url}/api"
        settings.WHITECIRCLE_DEPLOYMENT_ID = white_circle_api.DEPLOYMENT
        settings.INCIDENTS_REVIEWERS = [
            *settings.INCIDENTS_REVIEWERS, f"{base}.white_circle.WhiteCircleReviewer"
        ]  # fmt: skip
        settings.ELEVENLABS_API_KEY = elevenlabs_api.KEY
        settings.ELEVENLABS_VOICE_ID = elevenlabs_api.VOICE
        settings.ELEVENLABS_BASE_URL = elevenlabs.url
        settings.VOICE, settings.MEDIA_ROOT = f"{base}.elevenlabs.ElevenLabsVoice", tmp_path / "m"
        settings.NOTIFY_PRIVATE_ADDRESSES = True
        yield Outside(claude=claude, white_circle=white_circle, elevenlabs=elevenlabs, hook=hook)


def canaries_in(data: bytes) -> list[str]:
    """Return the names of the canaries that stand in the bytes."""
    return [name for name, value in CANARIES.items() if value.encode() in data]


def takes_out(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Say what was read, and take the line out that raises, as it was shown: with placeholders."""
    shown = json.dumps(body["messages"][-1])
    line = next(
        part for part in json.loads(f'"{shown_line(shown)}"').split("\n") if "raise" in part
    )
    code = line.partition("|")[2] if "|" in line else line
    said = diagnosis(root_cause=f"It says: {code.strip()}.", file="handler.py", line=None)
    return final({**TAKE_OUT, "old": code.strip(), "new": "pass"}, diagnosis=said)


def shown_line(shown: str) -> str:
    """Return the part of a JSON text around the line that raises, still escaped."""
    at = shown.index("raise ValueError")
    return shown[shown.rindex("\\n", 0, at) + 2 : shown.index("\\n", at)]


def test_no_canary_leaves_by_any_door(
    outside: Outside, tmp_path: Path, matrix: None, shweta: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = NotificationChannel(name="Team")
    channel.set_address(outside.hook.address, shown="json://127.0.0.1/…")
    channel.save()
    outside.claude.turns = [
        [tool("search_source", text="raise ValueError"), tool("read_log", last=80)],
        [tool("search_source", 2, text="raise Value")],
        takes_out,
        [
            text(
                json.dumps({"summary": "Customers cannot buy at the moment; a person has to look."})
            )
        ],
    ]
    environment = {"SHOP_TOKEN": CANARIES["environment"]}
    with running_shop(tmp_path / "shop", environment=environment) as service:
        handler = Path(service.directory, "handler.py")
        insert(handler, "endpoint, params = ROUTER.find", BUG)
        handler.write_text(f'{handler.read_text()}\nDB_PASSWORD = "{CANARIES["code"]}"\n')
        restart(service)
        incident = run(detected(service))
        deliver.deliver_due(now=timezone.now(), announcer=AppriseAnnouncer())
        report = ClearanceReport.objects.filter(incident=incident).first()
        Incident.objects.update(
            status="AWAITING_APPROVAL", severity="high", detected_at=timezone.now()
        )
        assert speaking.speak_due(now=timezone.now()) >= 1
        summary = speaking.summarise(person=shweta, now=timezone.now())
        assert speaking.speak(summary.pk, now=timezone.now())
    for who, data in outside.heard().items():
        assert data, f"{who} was told something"
        assert canaries_in(data) == [], who
    assert outside.claude.refused == []
    assert incident.diagnoses.get().author == "Claude"
    assert canaries_in(caplog.text.encode()) == []
    assert report is not None
    assert canaries_in(f"{report.markdown}{json.dumps(report.body)}".encode()) == []
