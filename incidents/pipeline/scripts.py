"""Puts together what a trial replays: the recorded requests in the order in which they happened, and the declared ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from incidents.engine.growth import ROUNDS
from incidents.engine.receipts import HEALTH
from incidents.engine.traits import Setup
from incidents.models import Incident
from incidents.pipeline.proving import MEMORY_BYTES, READS, Asked
from incidents.values import EvidencePack, Exchange
from monitoring.check_commands import CheckCommand
from monitoring.declared import declared
from monitoring.invariants import Invariant
from monitoring.models import Service
from monitoring.recorder import SMOKE
from monitoring.smoke import BadSmokeRequests, smoke_requests
from monitoring.values import Answer, HttpRequest, Symptom, Tree

MAX_REPLAYED = 200
INVARIANT = "invariant"


@dataclass(frozen=True, kw_only=True)
class Script:
    """The requests of a trial in replay order, failing and good ones among each other; and what answers keep.

    `invariants` are the rules that the service declares, `commands` those that a command checks, `slow_ms` its limit; `setup` is what its row says of copies;
    `grows` is the kind of leak or flood that the copies are to show, if it is one.
    """

    exchanges: tuple[Exchange, ...]
    invariants: tuple[Invariant, ...] = ()
    commands: tuple[CheckCommand, ...] = ()
    proof: Tree = field(default_factory=dict)
    slow_ms: float = 1500.0
    setup: Setup = field(default_factory=Setup)
    grows: str = ""

    @property
    def asked(self) -> Asked:
        """Return what each copy is asked; vital is what failed before."""
        return Asked(
            requests=tuple(exchange.request for exchange in self.exchanges),
            vital=frozenset(n for n, exchange in enumerate(self.exchanges) if not exchange.good),
            commands=self.commands,
            proof=self.proof,
            rounds=ROUNDS if self.grows else 0,
        )


def script_of(incident: Incident, pack: EvidencePack) -> Script:
    """Return what a trial replays: what failed and what was good, in the recorded order, reads and writes alike.

    The failure itself comes first when the recorder does not have it: a probe saw it, with no request before it that
    mattered. Declared requests that were not recorded come last, in the state that the replay left; so does, once more,
    the request of an invariant that was recorded ahead of a write.
    """
    service = incident.service
    rules = declared(service).invariants
    recorded = _recorded(pack, service)
    known = {_name(exchange.request) for exchange in recorded}
    observed = [one for one in _observed(pack, service) if _name(one.request) not in known]
    rest = [one for one in _declared(service, rules) if _name(one.request) not in known]
    rest = [one for one in rest if _name(one.request) not in {_name(o.request) for o in observed}]
    once_more = _after_writes([*observed, *recorded], rules)
    exchanges = tuple([*observed, *recorded, *rest, *once_more][:MAX_REPLAYED])
    return Script(
        exchanges=exchanges,
        invariants=rules,
        commands=declared(service).commands,
        proof={path: pack.current[path] for path in pack.protected if path in pack.current},
        slow_ms=service.slow_ms,
        grows=pack.failure.error_type if pack.failure.symptom == Symptom.RESOURCES else "",
        setup=Setup(
            takes_port=any("{port}" in word for word in service.command),
            declares_data=bool(service.data_globs),
            writes=any(_writes(exchange) for exchange in exchanges),
            memory_bytes=MEMORY_BYTES,
        ),
    )


def _recorded(pack: EvidencePack, service: Service) -> list[Exchange]:
    """Return both sets of the recorder in their order: a read that failed is no good one, too; writes are all kept.

    A recorded request that is declared as well is judged as declared: the health path by what it says, a smoke request by
    its declared status.
    """
    seen_failing = [
        *pack.failing,
        *_observed(pack, service),
    ]  # an answer may be wrong with status 200
    failed = {_name(one.request) for one in seen_failing if one.request.method in READS}
    good = [one for one in pack.good if _is_recorded(one) and _name(one.request) not in failed]
    ordered = sorted([*pack.failing, *good], key=lambda one: one.order or 0)
    as_declared = {_name(one.request): one for one in _declared(service, ()) if not _writes(one)}
    health = _name(_health(service).request)
    if _failed_at_health(pack, service):  # what a copy is asked first anyway stays first
        ordered = [one for one in ordered if _name(one.request) != health]
    return _unique([_as(as_declared.get(_name(one.request), one), one) for one in ordered])


def _is_recorded(exchange: Exchange) -> bool:
    """Say whether it is more than a declared request, which the recorder hands over without a place in the order."""
    return exchange.order is not None or exchange.source != SMOKE


def _as(declared_one: Exchange, recorded: Exchange) -> Exchange:
    source = HEALTH if declared_one.source == HEALTH else recorded.source
    return replace(declared_one, good=recorded.good, order=recorded.order, source=source)


def _after_writes(before: Sequence[Exchange], rules: Sequence[Invariant]) -> list[Exchange]:
    """Return the requests of rules to be asked once more, since a write may break a rule that held ahead of it."""
    last_write = max((n for n, one in enumerate(before) if _writes(one)), default=-1)
    places = {_name(one.request): (n, one) for n, one in enumerate(before)}
    wanted = dict.fromkeys(_name(rule.request) for rule in rules)
    found = [places[name] for name in wanted if name in places]
    return [replace(one, source=INVARIANT, order=None) for n, one in found if n < last_write]


def _declared(service: Service, rules: Sequence[Invariant]) -> list[Exchange]:
    """Return what the service declares; a row that holds nonsense declares no smoke requests."""
    try:
        found = smoke_requests(service.smoke_requests)
    except BadSmokeRequests:
        found = ()
    smokes = (
        Exchange(
            request=smoke.request,
            expected=Answer(status=smoke.expected_status) if smoke.expected_status else None,
        )
        for smoke in found
    )
    asked = (Exchange(request=rule.request, source=INVARIANT) for rule in rules)
    return _unique([_health(service), *smokes, *asked])


def _health(service: Service) -> Exchange:
    return Exchange(request=HttpRequest(path=service.health_path), source=HEALTH)


def _failed_at_health(pack: EvidencePack, service: Service) -> bool:
    return pack.failure.path in {"", service.health_path}


def _observed(pack: EvidencePack, service: Service) -> list[Exchange]:
    """Return the request of the failure itself; of a write only the recorder has the body, so it is not made up here."""
    failure = pack.failure
    if _failed_at_health(pack, service):
        return [replace(_health(service), good=False)]
    if failure.method not in READS:
        return []
    request = HttpRequest(method=failure.method, path=failure.path)
    return [Exchange(request=request, good=False, source="observed")]


def _unique(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Keep the first exchange of each read; writes are all kept, since order and number matter to them."""
    seen: set[str] = set()
    kept = []
    for exchange in exchanges:
        name = _name(exchange.request)
        if name not in seen or _writes(exchange):
            kept.append(exchange)
        seen.add(name)
    return kept


def _writes(exchange: Exchange) -> bool:
    return exchange.request.method not in READS


def _name(request: HttpRequest) -> str:
    return f"{request.method} {request.path} {request.body!r}"
