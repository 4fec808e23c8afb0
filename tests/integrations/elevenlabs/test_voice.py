"""ElevenLabs: good audio is taken; everything else is a VoiceError in bounded time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from agentops_site.integrations import elevenlabs
from agentops_site.integrations.elevenlabs import ElevenLabsVoice
from agentops_site.models import VendorState
from agentops_site.voice_port import Voice, VoiceError
from tests.fakes.voice import FakeVoice
from tests.integrations.contracts.voice import VoiceContract
from tests.standins.elevenlabs_api import AUDIO, KEY, ElevenLabsStandIn
from tests.standins.server import as_json, drip, endless, hang, reset, respond, truncated

pytestmark = pytest.mark.django_db
SCRIPT = "High incident 7 in Shop API. Orders fail. Shweta is asked to approve."


class TestElevenLabs(VoiceContract):
    """The contract on the real SDK."""

    @pytest.fixture(autouse=True)
    def _api(self, api: ElevenLabsStandIn, settings: Any) -> None:
        settings.ELEVENLABS_SECONDS = 5.0
        self.api = api

    def make_voice(self) -> Voice:
        """Return the adapter."""
        return ElevenLabsVoice()

    def make_failing_voice(self) -> Voice:
        """Return the adapter, its vendor broken."""
        self.api.turns = [as_json({}, status=500)]
        return ElevenLabsVoice()


class TestFake(VoiceContract):
    """The contract on the fake."""

    def make_voice(self) -> Voice:
        """Return a fake."""
        return FakeVoice()

    def make_failing_voice(self) -> Voice:
        """Return a fake that fails."""
        return FakeVoice("the vendor is away")


def test_the_request_is_as_the_service_wants_it(api: ElevenLabsStandIn) -> None:
    assert ElevenLabsVoice().speak(SCRIPT) == AUDIO
    assert api.refused == []
    assert api.requests[0].json == {"text": SCRIPT, "model_id": "eleven_flash_v2_5"}
    state = VendorState.objects.get(vendor="elevenlabs")
    assert (state.calls, state.errors) == (1, 0)
    assert state.cost_usd == pytest.approx(len(SCRIPT) * 0.05 / 1000)


@pytest.mark.parametrize("start", [b"\xff\xfb", b"\xff\xf3", b"\xff\xfa", b"ID3"])
def test_each_beginning_of_mp3_is_audio(start: bytes, api: ElevenLabsStandIn) -> None:
    api.audio = start + b"\x90" * 1000
    assert ElevenLabsVoice().speak(SCRIPT) == api.audio


FAILURES: dict[str, tuple[Any, str]] = {
    "400": (as_json({"detail": "bad"}, status=400), "400"),
    "401 quota": (as_json({"detail": {"status": "quota_exceeded"}}, status=401), "quota_exceeded"),
    "403": (as_json({}, status=403), "403"),
    "404": (as_json({"detail": {"status": "voice_not_found"}}, status=404), "voice_not_found"),
    "422": (as_json({"detail": [{"loc": ["body", "text"], "msg": "no", "type": "value_error"}]}, status=422), "422"),
    "429": (as_json({"detail": {"status": "too_many_concurrent_requests"}}, status=429, retry_after="3600"), "429"),
    "500": (as_json({}, status=500), "500"),
    "503 HTML": (respond(b"<html>busy</html>", status=503, kind="text/html"), "503"),
    "redirect": (respond(b"", status=307, Location="http://127.0.0.1:9/"), "307"),
    "200 JSON": (as_json({"audio": "soon"}), "no audio"),
    "200 HTML": (respond(b"<html>" + b"x" * 900, kind="audio/mpeg"), "no audio"),
    "200 empty": (respond(b"", kind="audio/mpeg"), "no audio"),
    "200 short": (respond(b"ID3", kind="audio/mpeg"), "no audio"),
    "200 zeros": (respond(bytes(5000), kind="audio/mpeg"), "no audio"),
    "200 wave": (respond(b"RIFF" + bytes(5000), kind="audio/mpeg"), "no audio"),
    "hang": (hang, "within"),
    "drip": (drip, "within"),
    "reset": (reset, "connection"),
    "truncated": (truncated, "connection"),
    "endless": (endless, "understood|within"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILURES)
def test_everything_else_is_a_voice_error(name: str, api: ElevenLabsStandIn, settings: Any) -> None:
    settings.ELEVENLABS_MAX_BYTES = 1_000_000
    turn, words = FAILURES[name]
    api.turns = [turn]
    began = time.monotonic()
    with pytest.raises(VoiceError, match=words) as refused:
        ElevenLabsVoice().speak(SCRIPT)
    assert time.monotonic() - began < 6
    assert KEY not in str(refused.value)
    assert len(api.requests) == 1
    assert VendorState.objects.get(vendor="elevenlabs").cost_usd == 0 or "no audio" in words


def test_a_wrong_key_and_a_strange_voice_are_said(api: ElevenLabsStandIn, settings: Any) -> None:
    settings.ELEVENLABS_SECONDS = 5.0
    assert "speaks" in elevenlabs.test_connection()
    settings.ELEVENLABS_API_KEY = "wrong-key-canary"
    assert "invalid_api_key" in elevenlabs.test_connection()
    assert "canary" not in elevenlabs.test_connection()
    settings.ELEVENLABS_VOICE_ID = "../../v1/user"
    asked = len(api.requests)
    assert "not the id" in elevenlabs.test_connection()
    assert len(api.requests) == asked
