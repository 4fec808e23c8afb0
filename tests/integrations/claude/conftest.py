"""A stand-in with the settings that point at it, and an incident to talk about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentops_site.integrations.claude import answer
from agentops_site.integrations.claude.api import Session
from incidents.models import Incident
from incidents.values import EvidencePack
from tests.integrations import cases
from tests.standins.anthropic_api import KEY, AnthropicStandIn


@pytest.fixture(scope="session", autouse=True)
def _sdk_is_loaded() -> None:
    """Have the SDK imported: its two seconds would be taken off the short limits of the first test."""
    Session(api_key="none", base_url="http://127.0.0.1:9").close()
    answer.schema()


@pytest.fixture
def claude_first(settings: Any) -> None:
    """Have Claude asked before the built-in engine, as with a key in the environment."""
    base = "agentops_site.integrations.claude"
    for name, part in (("DIAGNOSTICIANS", "Diagnostician"), ("FIX_WRITERS", "FixWriter")):
        setting = f"INCIDENTS_{name}"
        built_in = [path for path in getattr(settings, setting) if "engine" in path]
        setattr(settings, setting, [f"{base}.Claude{part}", *built_in])


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
