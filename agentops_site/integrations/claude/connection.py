"""The vendors page's question to Claude: does the key work, and are the models in the settings to be had?"""

from __future__ import annotations

from contextlib import closing

from django.conf import settings

from agentops_site.integrations.breaker import VendorError
from agentops_site.integrations.claude.api import Session


def test_connection() -> str:
    """Return in words which of the models in the settings can be used, or why Claude cannot be asked."""
    if not settings.ANTHROPIC_API_KEY:
        return "ANTHROPIC_API_KEY is not set."
    try:
        with closing(Session.from_settings()) as session:
            listed = session.models()
    except VendorError as error:
        return f"It does not work: {error}."
    wanted = dict.fromkeys((settings.CLAUDE_MODEL, settings.CLAUDE_SUMMARY_MODEL))
    return " ".join(_words(model, listed.get(model, "")) for model in wanted)


def _words(model: str, lifecycle: str) -> str:
    if lifecycle == "active":
        return f"{model} can be used."
    if lifecycle == "deprecated":
        return f"{model} can be used, but will be retired."
    what = "is retired" if lifecycle == "retired" else "is not a model of this key"
    return f"{model} {what}: {settings.CLAUDE_FALLBACK_MODEL} is used in its place."
