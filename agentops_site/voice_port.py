"""What speaking asks of a vendor; the adapter is named by `settings.VOICE`, empty for none."""

from __future__ import annotations

from typing import Protocol

from incidents.ports import PortError


class VoiceError(PortError):
    """There is no audio; the browser's own voice reads the script."""


class Voice(Protocol):
    """Reads a script aloud."""

    name: str

    def speak(self, script: str) -> bytes:
        """Return the script as MP3; raise `VoiceError` when there is none."""
