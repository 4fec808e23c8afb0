"""The adapters that settings name, made once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from incidents.ports import Announcer, Diagnostician, FixWriter, SafetyReviewer, Sandbox, Tools
from monitoring import providers as monitoring_providers


@lru_cache(maxsize=64)
def _made(path: str) -> Any:
    return import_string(path)()


def _forget(**_: object) -> None:
    _made.cache_clear()


setting_changed.connect(_forget)  # tests swap adapters; a kept one would outlive its test


def _all(paths: list[str]) -> tuple[Any, ...]:
    return tuple(_made(path) for path in paths)


def sandbox(runtime: str) -> Sandbox:
    """Return the sandbox for a service's runtime; never another one in its place."""
    return cast(Sandbox, _made(settings.INCIDENTS_SANDBOXES[runtime]))


def warm() -> None:
    """Make what every incident needs, and let each sandbox find out what it can."""
    tools()
    monitoring_providers.warm()
    for runtime in settings.INCIDENTS_SANDBOXES:
        sandbox(runtime).prepare()


def announcer() -> Announcer:
    """Return what brings messages outside; the address comes with each message."""
    return cast(Announcer, _made(settings.INCIDENTS_ANNOUNCER))


def tools() -> Tools:
    """Return everything outside that the pipeline may ask, as the settings name it."""
    return Tools(
        diagnosticians=cast(tuple[Diagnostician, ...], _all(settings.INCIDENTS_DIAGNOSTICIANS)),
        fix_writers=cast(tuple[FixWriter, ...], _all(settings.INCIDENTS_FIX_WRITERS)),
        reviewers=cast(tuple[SafetyReviewer, ...], _all(settings.INCIDENTS_REVIEWERS)),
        sandbox=sandbox,
        reader=monitoring_providers.reader,
        writer=monitoring_providers.writer,
    )
