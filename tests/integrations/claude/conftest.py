"""A stand-in with the settings that point at it, and an incident to talk about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from incidents.models import Incident
from incidents.values import EvidencePack
from tests.integrations import cases
from tests.standins.anthropic_api import KEY, AnthropicStandIn


@pytest.fixture
def api(settings: Any) -> Iterator[AnthropicStandIn]:
    """Return a running stand-in that the settings name as the API."""
    with AnthropicStandIn() as stand_in:
        settings.ANTHROPIC_API_KEY = KEY
        settings.ANTHROPIC_BASE_URL = stand_in.url
        settings.CLAUDE_MODEL = "claude-sonnet-5-5"
        yield stand_in


@pytest.fixture
def incident(db: None) -> Incident:
    """Return an open incident."""
    return cases.incident()


@pytest.fixture
def pack(incident: Incident) -> EvidencePack:
    """Return the incident's evidence, stored and as a value."""
    return cases.with_evidence(incident, cases.pack())
