"""ElevenLabs: reads a short script aloud. What comes back is checked to be audio; the SDK would hand on anything."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings

from agentops_site.integrations import usage
from agentops_site.integrations.breaker import VendorError
from agentops_site.voice_port import VoiceError
from incidents.engine.redaction import redact

VENDOR = "elevenlabs"
FORMAT = "mp3_44100_128"
MAX_CHARACTERS = 1_500
MIN_AUDIO_BYTES = 200
_VOICE_ID = re.compile(r"[A-Za-z0-9]{8,40}")


class ElevenLabsVoice:
    """Speaks by `text_to_speech.convert`; see `agentops_site.voice_port.Voice`."""

    name = "ElevenLabs"

    def speak(self, script: str) -> bytes:
        """Return the script as MP3; raise `VoiceError` when there is none within the limits."""
        try:
            return _spoken(script[:MAX_CHARACTERS])
        except VendorError as error:
            raise VoiceError(str(error), permanent=error.permanent) from error


def test_connection() -> str:
    """Have two words spoken and return in words how it went; never raises."""
    try:
        audio = ElevenLabsVoice().speak("AgentOps speaks.")
    except VoiceError as error:
        return str(error)
    return f"ElevenLabs speaks: {len(audio) // 1000} kB of audio."


def _spoken(script: str) -> bytes:
    if not _VOICE_ID.fullmatch(settings.ELEVENLABS_VOICE_ID):
        raise VendorError("ELEVENLABS_VOICE_ID is not the id of a voice", permanent=True, counts=False)  # fmt: skip
    with usage.call(VENDOR, "text_to_speech") as call:
        call.cost_usd = len(script) * settings.ELEVENLABS_USD_PER_1000 / 1000
        try:
            audio = _converted(script)
        except VendorError:
            call.cost_usd = 0.0  # what was refused is not billed
            raise
        _check_audio(audio)
        return audio


def _converted(script: str) -> bytes:
    import httpx
    from elevenlabs.core.api_error import ApiError

    from agentops_site.integrations.bounded_http import TooLarge, limited

    try:
        with _Client() as client, limited(settings.ELEVENLABS_SECONDS):
            # Nothing is sent before the first piece is asked for: errors come from the join.
            pieces = client.text_to_speech.convert(
                settings.ELEVENLABS_VOICE_ID,
                text=script,
                model_id=settings.ELEVENLABS_MODEL,
                output_format=FORMAT,
            )
            return b"".join(pieces)
    except ApiError as error:
        raise _of_status(error.status_code, error.body) from error
    except httpx.TimeoutException as error:
        raise VendorError(
            f"ElevenLabs gave no audio within {settings.ELEVENLABS_SECONDS:.0f} s"
        ) from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise VendorError("the connection to ElevenLabs failed") from error
    except (TooLarge, ValueError, TypeError, KeyError, AttributeError) as error:
        kind = type(error).__name__
        raise VendorError(f"ElevenLabs's answer is not understood ({kind})") from error


class _Client:
    """Gives the SDK's client on a connection of ours, which ends at the deadline and follows no redirect."""

    def __enter__(self) -> Any:
        from elevenlabs.client import ElevenLabs

        from agentops_site.integrations.bounded_http import BoundedClient, tls

        self._http = BoundedClient(max_bytes=settings.ELEVENLABS_MAX_BYTES, verify=tls())
        return ElevenLabs(
            base_url=settings.ELEVENLABS_BASE_URL or None,
            api_key=settings.ELEVENLABS_API_KEY,
            httpx_client=self._http,
        )

    def __exit__(self, *_: object) -> None:
        self._http.close()


def _of_status(status: int | None, body: object) -> VendorError:
    """Return the error of a status. A wrong key and a spent quota are both 401; only `detail.status` tells."""
    detail = body.get("detail") if isinstance(body, dict) else None
    word = str(detail.get("status", "")) if isinstance(detail, dict) else ""
    told = f": {redact(word)[:60]}" if word else ""
    permanent = status in {400, 401, 402, 403, 404, 422}
    return VendorError(f"ElevenLabs answered {status}{told}", permanent=permanent)


def _check_audio(audio: bytes) -> None:
    # MPEG audio begins with an ID3 tag or with eleven set bits; HTML and JSON come with status 200 too.
    tagged = audio[:3] == b"ID3"
    framed = audio[:1] == b"\xff" and len(audio) > 1 and audio[1] & 0xE0 == 0xE0 and audio[1] & 0x06
    if len(audio) < MIN_AUDIO_BYTES or not (tagged or framed):
        raise VendorError("what ElevenLabs sent is no audio")
