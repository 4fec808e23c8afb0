"""A running stand-in that the settings name, and a media folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.standins.elevenlabs_api import KEY, VOICE, ElevenLabsStandIn


@pytest.fixture
def api(settings: Any, tmp_path: Path) -> Iterator[ElevenLabsStandIn]:
    """Return a stand-in for ElevenLabs."""
    with ElevenLabsStandIn() as stand_in:
        settings.ELEVENLABS_API_KEY = KEY
        settings.ELEVENLABS_VOICE_ID = VOICE
        settings.ELEVENLABS_BASE_URL = stand_in.url
        settings.ELEVENLABS_SECONDS = 0.6
        settings.MEDIA_ROOT = tmp_path / "media"
        settings.VOICE = "agentops_site.integrations.elevenlabs.ElevenLabsVoice"
        yield stand_in
