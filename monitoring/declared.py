"""What a service declares of itself, made ready for a deep probe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from monitoring.invariants import Invariant, check_invariant
from monitoring.models import Service
from monitoring.smoke import Smoke, smoke_reads


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The reads to send, and the invariants whose answers are among them."""

    reads: tuple[Smoke, ...] = ()
    invariants: tuple[Invariant, ...] = ()


NOTHING = Declared()


def declared(service: Service) -> Declared:
    """Return the declared reads and invariants; what is nonsense in the row is left out, never an error.

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
    return Declared(reads=tuple(reads), invariants=tuple(rules))


def _rules(raw: object) -> Iterator[Invariant]:
    for item in raw if isinstance(raw, list) else []:
        try:
            yield check_invariant(item)
        except ValueError:
            continue
