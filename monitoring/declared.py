"""What a service declares of itself, made ready for a deep probe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from monitoring.check_commands import CheckCommand, check_command, is_command
from monitoring.invariants import Invariant, check_invariant
from monitoring.models import Service
from monitoring.smoke import Smoke, smoke_reads


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The reads to send, the invariants whose answers are among them, and those that a command checks."""

    reads: tuple[Smoke, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    commands: tuple[CheckCommand, ...] = ()


NOTHING = Declared()


def declared(service: Service) -> Declared:
    """Return the declared reads, invariants and check commands; what is nonsense in the row is left out, never an error.

    An invariant of a request that is no declared smoke request adds that request. Writes are left to trials: a probe
    must not place an order.
    """
    reads = list(smoke_reads(service.smoke_requests))
    known = {(smoke.request.method, smoke.request.path) for smoke in reads}
    rules = [rule for rule in _rules(service.invariants) if rule.request.method in {"GET", "HEAD"}]
    for rule in rules:
        key = (rule.request.method, rule.request.path)
        if key not in known:
            known.add(key)
            reads.append(Smoke(request=rule.request))
    return Declared(
        reads=tuple(reads), invariants=tuple(rules), commands=_commands(service.invariants)
    )


def check_files(service: Service) -> tuple[str, ...]:
    """Return the files that the service's check commands consist of: no fix may change what proves it."""
    commands = _commands(service.invariants)
    return tuple(dict.fromkeys(name for command in commands for name in command.files))


def _commands(raw: object) -> tuple[CheckCommand, ...]:
    found = []
    for item in raw if isinstance(raw, list) else []:
        with suppress(ValueError):
            found += [check_command(item)] if is_command(item) else []
    return tuple(dict.fromkeys(found))


def _rules(raw: object) -> Iterator[Invariant]:
    for item in raw if isinstance(raw, list) else []:
        try:
            yield check_invariant(item)
        except ValueError:
            continue
