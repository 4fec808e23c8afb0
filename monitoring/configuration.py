"""Setting a service up: what may stand in its row, and changing the row with its audit entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from monitoring import realtime
from monitoring.check_commands import check_command, is_command
from monitoring.claims import request_probe
from monitoring.globs import safe_relative
from monitoring.invariants import check_invariant
from monitoring.models import Service, ServiceHealth
from monitoring.smoke import smoke_requests
from teams import audit
from teams.models import User
from teams.roles import SEVERITIES

CEILINGS = SEVERITIES[: SEVERITIES.index("medium") + 1]
"""Up to which severity a service may be fixed without a person."""
LONGEST_TIMEOUT = 60.0
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")


class BadConfiguration(ValueError):
    """The row cannot be used as it is; `problems` maps each field to what is wrong with it."""

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(said)}" for name, said in problems.items()))
        self.problems = dict(problems)


def create(*, fields: Mapping[str, Any], actor: User, now: datetime, origin: str = "") -> Service:
    """Register a service, make it due at once, and return it. Raises `BadConfiguration`."""
    service = Service(**fields)
    _refuse_problems(service)
    with transaction.atomic():
        service.save()
        ServiceHealth.objects.create(service=service, next_due_at=now, since=now)
        _tell(service)
        audit.record(
            actor=actor,
            verb="service.added",
            target=service,
            after=_recorded(fields),
            origin=origin,
        )
    return service


def change(
    service: Service, *, fields: Mapping[str, Any], actor: User, now: datetime, origin: str = ""
) -> Service:
    """Change the named fields of a service and return it as stored. Raises `BadConfiguration`."""
    with transaction.atomic():
        locked = Service.objects.select_for_update().get(pk=service.pk)
        before = {name: getattr(locked, name) for name in fields}
        for name, value in fields.items():
            setattr(locked, name, value)
        _refuse_problems(locked)
        locked.save(update_fields=list(fields) or None)
        request_probe(locked.pk, now=now, deep=True)
        _tell(locked)
        audit.record(
            actor=actor,
            verb="service.changed",
            target=locked,
            before=_recorded(before),
            after=_recorded(fields),
            origin=origin,
        )
    return locked


def ensure_health(*, now: datetime) -> int:
    """Give every service without a health row its row, so that it is probed; return how many those were."""
    missing = Service.objects.filter(health=None).values_list("pk", flat=True)
    rows = [ServiceHealth(service_id=pk, next_due_at=now, since=now) for pk in missing]
    ServiceHealth.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def problems(service: Service) -> dict[str, list[str]]:
    """Return what is wrong with a service's row, field by field; empty when it can be used."""
    found: dict[str, list[str]] = {}
    try:
        service.full_clean()
    except ValidationError as error:
        found |= error.message_dict
    for name, check in _CHECKS.items():
        said = check(service)
        if said and name not in found:
            found[name] = [said]
    return found


def _refuse_problems(service: Service) -> None:
    found = problems(service)
    if found:
        raise BadConfiguration(found)


def _tell(service: Service) -> None:
    realtime.publish("service", {"service_id": service.pk, "slug": service.slug})


def _recorded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields for the trail; of the environment only the names, for its values may be secrets."""
    recorded = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
    }
    if isinstance(recorded.get("environment"), dict):
        recorded["environment"] = sorted(recorded["environment"])
    return recorded


def _directory(service: Service) -> str:
    if service.runtime != Service.Runtime.LOCAL:
        return ""
    folder = Path(service.directory)
    if not folder.is_absolute():
        return "The directory is an absolute path."
    return "" if folder.is_dir() else f"There is no directory {service.directory}."


def _command(service: Service) -> str:
    words = service.command
    if not isinstance(words, list) or not words:
        return 'The command is a list of words, e.g. ["python3", "server.py", "{port}"].'
    if not all(isinstance(word, str) and word.strip() and "\0" not in word for word in words):
        return "Every word of the command is a text that is not empty."
    return ""


def _port(service: Service) -> str:
    same = Service.objects.filter(host=service.host, port=service.port).exclude(pk=service.pk)
    taken = same.values_list("name", flat=True).first()
    return f"Port {service.port} belongs to {taken}." if taken else ""


def _globs(name: str) -> Callable[[Service], str]:
    def check(service: Service) -> str:
        patterns = getattr(service, name)
        if not isinstance(patterns, list):
            return 'This is a list of file patterns, e.g. ["*.py", "config.json"].'
        bad = [one for one in patterns if not isinstance(one, str) or not safe_relative(one)]
        return f"{bad[0]!r} is not a pattern below the directory." if bad else ""

    return check


def _environment(service: Service) -> str:
    given = service.environment
    if not isinstance(given, dict):
        return 'The environment is an object of texts, e.g. {"MODE": "live"}.'
    for name, value in given.items():
        if not _VARIABLE.match(name):
            return f"{name!r} is not the name of a variable."
        if not isinstance(value, str) or "\0" in value:
            return f"The value of {name} is not a text."
    return ""


def _smoke_requests(service: Service) -> str:
    return _said_by(smoke_requests, service.smoke_requests)


def _invariants(service: Service) -> str:
    if not isinstance(service.invariants, list):
        return "Invariants are a list of objects."
    for number, raw in enumerate(service.invariants, start=1):
        said = _said_by(check_command if is_command(raw) else check_invariant, raw)
        if said:
            return f"Invariant {number}: {said}"
    return ""


def _redact_fields(service: Service) -> str:
    fields = service.redact_fields
    is_usable = isinstance(fields, list) and all(isinstance(one, str) and one for one in fields)
    return "" if is_usable else 'This is a list of fields, e.g. ["payment.token"].'


def _timeout(service: Service) -> str:
    too_long = service.timeout > LONGEST_TIMEOUT
    return f"At most {LONGEST_TIMEOUT:.0f} seconds." if too_long else ""


def _auto_ceiling(service: Service) -> str:
    if service.auto_ceiling in CEILINGS:
        return ""
    return f"One of {', '.join(CEILINGS)}: above medium nothing is fixed without a person."


def _auto_threshold(service: Service) -> str:
    if not 0 <= service.escalation_threshold <= service.auto_threshold <= 1:
        return "0 <= escalation threshold <= automatic threshold <= 1."
    return ""


def _at_least_one(name: str) -> Callable[[Service], str]:
    return lambda service: "" if getattr(service, name) >= 1 else "At least 1."


def _said_by(check: Callable[[Any], object], raw: object) -> str:
    try:
        check(raw)
    except ValueError as error:
        return str(error)
    return ""


_CHECKS: dict[str, Callable[[Service], str]] = {
    "directory": _directory,
    "command": _command,
    "port": _port,
    "editable_globs": _globs("editable_globs"),
    "data_globs": _globs("data_globs"),
    "environment": _environment,
    "smoke_requests": _smoke_requests,
    "invariants": _invariants,
    "redact_fields": _redact_fields,
    "timeout": _timeout,
    "auto_ceiling": _auto_ceiling,
    "auto_threshold": _auto_threshold,
    **{
        name: _at_least_one(name)
        for name in (
            "deep_every",
            "failures_before_incident",
            "successes_before_recovery",
            "healthy_before_snapshot",
        )
    },
}
