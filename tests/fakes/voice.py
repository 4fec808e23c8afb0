"""A voice that returns what it was told, or fails as it was told."""

from __future__ import annotations

from agentops_site.voice_port import VoiceError


class FakeVoice:
    """Implements `Voice`."""

    name = "fake"

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.spoken: list[str] = []

    def speak(self, script: str) -> bytes:
        """Return bytes that look like MP3, the same for the same script."""
        if self.error:
            raise VoiceError(self.error)
        self.spoken.append(script)
        return b"ID3" + script.encode() * 50
