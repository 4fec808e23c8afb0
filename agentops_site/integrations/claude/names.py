"""Which model is asked: the one in the settings while it can be had, else the default, with a warning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The model to ask; `warning` says for people why it is not the one in the settings."""

    model: str
    warning: str = ""


def choose(wanted: str, listed: Callable[[], Mapping[str, str]] | None = None) -> Choice:
    """Return the model to ask; a retired or unknown one is replaced by the default, with a warning.

    `listed` asks the vendor for its models (name to lifecycle); it is called only for names that we do not know.
    """
    fallback = settings.CLAUDE_FALLBACK_MODEL
    if wanted in settings.CLAUDE_RETIRED_MODELS:
        return _instead(wanted, fallback, "is retired")
    if wanted in settings.CLAUDE_PRICES or listed is None:
        return Choice(model=wanted)
    if listed().get(wanted, "retired") != "retired":
        return Choice(
            model=wanted, warning=f"{wanted} has no price in CLAUDE_PRICES; the highest is counted."
        )
    return _instead(wanted, fallback, "is not a model that this key may use")


def _instead(wanted: str, fallback: str, why: str) -> Choice:
    warning = f"The model {wanted} {why}; {fallback} is used in its place."
    log.warning(warning)
    return Choice(model=fallback, warning=warning)
