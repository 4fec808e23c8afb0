"""Starts copies of a service in isolation and replays requests against them: the laboratory behind the trial step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

from incidents.engine.receipts import HEALTH
from incidents.engine.traits import Setup
from incidents.models import Incident
from incidents.pipeline.tools import Tools
from incidents.ports import Box
from incidents.values import BoxPlan, BoxUsage, EvidencePack, Exchange, StartUp
from monitoring.declared import declared
from monitoring.invariants import Invariant
from monitoring.models import Service
from monitoring.smoke import BadSmokeRequests, smoke_requests
from monitoring.values import Answer, HttpRequest, Symptom, Tree

MAX_REPLAYED = 60
MEMORY_BYTES = 1_000_000_000
NOT_ASKED = "not_asked"
READS = {"GET", "HEAD"}


@dataclass(frozen=True, kw_only=True)
class Copy:
    """How one copy of the service behaved: its start, one answer a request (in order), and what it used."""

    startup: StartUp
    answers: tuple[Answer, ...]
    usage: BoxUsage
    isolation: str
    log_tail: str = ""


@dataclass(frozen=True, kw_only=True)
class Script:
    """The requests of a trial, in order: the failing ones first known, then the good ones; and what answers keep.

    `invariants` are the rules that the service declares, `slow_ms` its limit; `setup` is what its row says of copies;
    `grows` is the kind of leak or flood that the copies are to show, if it is one.
    """

    failing: tuple[Exchange, ...]
    good: tuple[Exchange, ...]
    invariants: tuple[Invariant, ...] = ()
    slow_ms: float = 1500.0
    setup: Setup = field(default_factory=Setup)
    grows: str = ""

    @property
    def requests(self) -> tuple[HttpRequest, ...]:
        """Return every request in replay order."""
        return tuple(exchange.request for exchange in (*self.failing, *self.good))


def script_of(incident: Incident, pack: EvidencePack) -> Script:
    """Return what a trial replays: what failed (observed and recorded), and what was good (recorded and smoke)."""
    service = incident.service
    health = HttpRequest(path=service.health_path)
    rules = declared(service).invariants
    failing = _unique([*_observed(pack, health), *pack.failing])[:MAX_REPLAYED]
    names = {_name(exchange.request) for exchange in failing}
    known = _unique(
        [
            Exchange(request=health, source=HEALTH),
            *_smoke(service),
            *(Exchange(request=rule.request, source="invariant") for rule in rules),
            *pack.good,
        ]
    )
    good = [exchange for exchange in known if _name(exchange.request) not in names][:MAX_REPLAYED]
    writes = any(exchange.request.method not in READS for exchange in (*failing, *good))
    return Script(
        failing=tuple(failing),
        good=tuple(good),
        invariants=rules,
        slow_ms=service.slow_ms,
        grows=pack.failure.error_type if pack.failure.symptom == Symptom.RESOURCES else "",
        setup=Setup(
            takes_port=_takes_port(service),
            declares_data=bool(service.data_globs),
            writes=writes,
            memory_bytes=MEMORY_BYTES,
        ),
    )


def _takes_port(service: Service) -> bool:
    return any("{port}" in word for word in service.command)


def _smoke(service: Service) -> list[Exchange]:
    """Return the declared smoke requests; a row that holds nonsense declares none."""
    try:
        found = smoke_requests(service.smoke_requests)
    except BadSmokeRequests:
        return []
    return [
        Exchange(
            request=smoke.request,
            expected=Answer(status=smoke.expected_status) if smoke.expected_status else None,
        )
        for smoke in found
    ]


def _observed(pack: EvidencePack, health: HttpRequest) -> list[Exchange]:
    """Return the request of the failure itself; of a write only the recorder has the body, so it is not made up here."""
    failure = pack.failure
    if not failure.path or failure.path == health.path:
        return [Exchange(request=health, good=False, source=HEALTH)]
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
        if name not in seen or exchange.request.method not in READS:
            kept.append(exchange)
        seen.add(name)
    return kept


def _name(request: HttpRequest) -> str:
    return f"{request.method} {request.path} {request.body!r}"


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of the service to start: its files and environment, and a short name for the copy.

    With `patience` (seconds) a copy that holds its first health request for so long is known to hang. `timeout` (seconds
    an answer may take, None: the service's own) and `start_timeout` bound what a bad version costs.
    """

    name: str
    tree: Tree
    environment: Mapping[str, str]
    patience: float | None = None
    timeout: float | None = None
    start_timeout: float = 8.0


def run_copy(
    incident: Incident,
    tools: Tools,
    version: Version,
    requests: Sequence[HttpRequest],
    *,
    rounds: int = 0,
) -> Copy:
    """Start one copy of a version, replay the requests in order, and `rounds` of the reads once more, and close it.

    Never raises for the copy's fault; raises `SandboxError` when no copy could be made at all.
    """
    spec = incident.service.spec()
    plan = BoxPlan(
        name=f"{spec.slug}-{incident.pk}-{version.name}",
        tree=version.tree,
        data_from=spec.directory,
        data_globs=spec.data_globs,
        command=spec.command,
        environment=version.environment,
        health_path=spec.health_path,
        patience=version.patience,
        start_timeout=version.start_timeout,
        memory_bytes=MEMORY_BYTES,
    )
    box = tools.sandbox(spec.runtime).open(plan)
    answers: list[Answer] = []
    startup = StartUp(answered=False, seconds=0.0)
    try:
        startup = box.start()
        if startup.answered:
            answers = _replay(box, requests, version.timeout or spec.timeout)
            _use(box, requests, rounds, spec.timeout)
        elif startup.hung and requests[0].path == spec.health_path:
            answers = [Answer(failure="timeout", elapsed_ms=(version.patience or 0) * 1000)]
    finally:
        usage = box.close()
    why = NOT_ASKED if answers else "not_started"
    missing = [Answer(failure=why)] * (len(requests) - len(answers))
    return Copy(
        startup=startup,
        answers=(*answers, *missing),
        usage=usage,
        isolation=box.isolation,
        log_tail=startup.log_tail,
    )


def _use(box: Box, requests: Sequence[HttpRequest], rounds: int, timeout: float) -> None:
    """Ask the reads again and again, so that what grows with each request becomes visible; stop when one fails."""
    reads = [request for request in requests if request.method in READS]
    for request in islice(cycle(reads), rounds):
        if box.ask(request, timeout).failure:
            return


def _replay(box: Box, requests: Sequence[HttpRequest], timeout: float) -> list[Answer]:
    """Ask in order; after a timeout no more is asked, or a hanging copy would cost a timeout a request."""
    answers: list[Answer] = []
    for request in requests:
        answers.append(box.ask(request, timeout))
        if answers[-1].failure == "timeout":
            break
    return answers
