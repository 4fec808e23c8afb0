"""Gives monitoring its adapters, chosen by dotted path in settings and never imported by name."""

from __future__ import annotations

from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from monitoring.ports import Prober, TargetError, TargetReader, TargetWriter
from monitoring.values import ServiceSpec


class Runtime(TargetReader, TargetWriter, Protocol):
    """What an entry of `MONITORING_RUNTIMES` is: it both looks at a service and changes it."""


def prober() -> Prober:
    """Return the prober of `MONITORING_PROBER`; one object a process."""
    adapter: Prober = _adapter(settings.MONITORING_PROBER)
    return adapter


def runtime(spec: ServiceSpec) -> Runtime:
    """Return the runtime that serves `spec`; one object a process. Raises TargetError for an unknown kind."""
    try:
        chosen = settings.MONITORING_RUNTIMES[spec.runtime]
    except KeyError:
        known = ", ".join(sorted(settings.MONITORING_RUNTIMES))
        raise TargetError(
            f"{spec.slug}: there is no runtime {spec.runtime!r} (known: {known}).", permanent=True
        ) from None
    adapter: Runtime = _adapter(chosen)
    return adapter


def warm() -> None:
    """Make every runtime now."""
    for chosen in settings.MONITORING_RUNTIMES.values():
        _adapter(chosen)


def reader(spec: ServiceSpec) -> TargetReader:
    """Return what looks at the service without changing it."""
    return runtime(spec)


def writer(spec: ServiceSpec) -> TargetWriter:
    """Return what changes the service."""
    return runtime(spec)


def _adapter(chosen: Any) -> Any:
    # A test may put a ready object into settings; everything else is a dotted path to a class.
    return _made(chosen) if isinstance(chosen, str) else chosen


@cache
def _made(path: str) -> Any:
    return import_string(path)()
