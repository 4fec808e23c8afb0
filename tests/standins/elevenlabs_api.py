"""A stand-in for ElevenLabs: strict about path, headers and body; it answers with bytes that begin as MP3 does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.standins.server import Received, Send, StandIn, as_json, respond

KEY = "test-key-of-elevenlabs"
VOICE = "21m00Tcm4TlvDq8ikWAM"
AUDIO = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x64" + bytes(range(256)) * 40
MODELS = {"eleven_flash_v2_5", "eleven_v4", "eleven_v4_turbo", "eleven_multilingual_v2"}
_FORMAT = re.compile(r"(mp3|pcm|ulaw|opus)_\d+(_\d+)?")
_KEYS = {"text", "model_id", "voice_settings", "language_code", "seed"}


@dataclass
class ElevenLabsStandIn(StandIn):
    """Answers with `audio`, or with `turns` in their order (the last one again and again)."""

    audio: bytes = AUDIO
    turns: list[Send] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _played: int = 0

    def answer(self, request: Received) -> Send:
        """Answer one request as the service would."""
        if request.headers.get("xi-api-key") != KEY:
            detail = {"status": "invalid_api_key", "message": "Invalid API key"}
            return as_json({"detail": detail}, status=401)
        if problem := self._problem(request):
            self.refused.append(problem)
            return as_json({"detail": [{"loc": ["body"], "msg": problem}]}, status=422)
        if self.turns:
            self._played += 1
            return self.turns[min(self._played, len(self.turns)) - 1]
        return respond(self.audio, kind="audio/mpeg")

    def _problem(self, request: Received) -> str:
        parts = urlsplit(request.path)
        if (request.method, parts.path) != ("POST", f"/v1/text-to-speech/{VOICE}"):
            return f"no such endpoint {request.method} {parts.path}"
        if not _FORMAT.fullmatch(parse_qs(parts.query).get("output_format", [""])[0]):
            return "output_format"
        body: dict[str, Any] = request.json
        if set(body) - _KEYS or body.get("model_id") not in MODELS:
            return "unknown keys or model"
        text = body.get("text")
        return "" if isinstance(text, str) and 0 < len(text) <= 40_000 else "text"
