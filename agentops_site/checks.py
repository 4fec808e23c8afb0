"""System checks: configuration that is half set or out of date is said at the start, and not in the first incident."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

# Setting, setting without which it is of no use, id.
NEEDS = (
    ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "W101"),
    ("BL_API_KEY", "BL_WORKSPACE", "W111"),
    ("BL_WORKSPACE", "BL_API_KEY", "W112"),
    ("BLAXEL_API_URL", "BL_API_KEY", "W113"),
    ("WHITECIRCLE_API_KEY", "WHITECIRCLE_DEPLOYMENT_ID", "W121"),
    ("WHITECIRCLE_DEPLOYMENT_ID", "WHITECIRCLE_API_KEY", "W122"),
    ("WHITECIRCLE_REQUIRED", "WHITECIRCLE_API_KEY", "W123"),
    ("ELEVENLABS_BASE_URL", "ELEVENLABS_API_KEY", "W131"),
)
ADDRESSES = ("ANTHROPIC_BASE_URL", "BLAXEL_API_URL", "WHITECIRCLE_API_URL", "ELEVENLABS_BASE_URL")
LIMITS = (
    "CLAUDE_MAX_TURNS", "CLAUDE_MAX_USD", "CLAUDE_MAX_SECONDS", "CLAUDE_CALL_SECONDS",
    "CLAUDE_SUMMARY_SECONDS", "CLAUDE_SUMMARY_USD", "CLAUDE_SUMMARY_USD_A_DAY",
)  # fmt: skip
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def vendors(app_configs: object = None, **_: Any) -> list[CheckMessage]:
    """Return what is wrong with the settings of the vendors; an id never changes its meaning (docs/vendors.md)."""
    return [*_half_set(), *_addresses(), *_models(), *_limits()]


def _half_set() -> Iterator[CheckMessage]:
    for given, needed, number in NEEDS:
        if getattr(settings, given) and not getattr(settings, needed):
            yield CheckWarning(
                f"{given} is set, but {needed} is not.",
                hint=f"Set {needed} too, or leave both empty; until then the built-in part works alone.",
                id=f"agentops.{number}",
            )


def _addresses() -> Iterator[CheckMessage]:
    for name in ADDRESSES:
        value = getattr(settings, name)
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            yield Error(f"{name} is not a web address.", id="agentops.E101")
        elif parts.scheme == "http" and parts.hostname not in LOOPBACK:
            yield CheckWarning(
                f"{name} is not encrypted: the key would travel in clear.",
                hint="Use https.",
                id="agentops.W102",
            )


def _models() -> Iterator[CheckMessage]:
    for name in ("CLAUDE_MODEL", "CLAUDE_SUMMARY_MODEL"):
        model = getattr(settings, name)
        if model in settings.CLAUDE_RETIRED_MODELS:
            yield CheckWarning(
                f"{name}={model} is retired; {settings.CLAUDE_FALLBACK_MODEL} is used in its place.",
                hint="Name a model of today in the environment.",
                id="agentops.W103",
            )
        elif model not in settings.CLAUDE_PRICES:
            yield CheckWarning(
                f"{name}={model} is not a model that we know: its cost counts as that of the dearest one.",
                hint="Check the spelling; the vendors page asks Anthropic whether it exists.",
                id="agentops.W104",
            )


def _limits() -> Iterator[CheckMessage]:
    for name in LIMITS:
        if getattr(settings, name) <= 0:
            yield Error(f"{name} must be more than 0.", id="agentops.E102")
