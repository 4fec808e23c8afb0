"""Starts copies of a service in isolation and replays requests against them: the laboratory behind the trial step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incidents.engine.receipts import HEALTH
from incidents.models import Incident
from incidents.pipeline.tools import Tools
from incidents.ports import Box
from incidents.values import BoxPlan, BoxUsage, EvidencePack, Exchange, StartUp
from monitoring.values import Answer, HttpRequest, Tree

MAX_REPLAYED = 60
NOT_ASKED = "not_asked"


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
    """The requests of a trial, in order: the failing ones first known, then the good ones."""

    failing: tuple[Exchange, ...]
    good: tuple[Exchange, ...]

    @property
    def requests(self) -> tuple[HttpRequest, ...]:
        """Return every request in replay order."""
        return tuple(exchange.request for exchange in (*self.failing, *self.good))


def script_of(incident: Incident, pack: EvidencePack) -> Script:
    """Return what a trial replays: what failed (observed and recorded), and what was good (recorded and smoke)."""
    service = incident.service
    health = HttpRequest(path=service.health_path)
    smoke = [Exchange(request=_declared(raw)) for raw in service.smoke_requests]
    failing = _unique([*_observed(pack, health), *pack.failing])
    names = {_name(exchange.request) for exchange in failing}
    known = _unique([Exchange(request=health, source=HEALTH), *smoke, *pack.good])
    good = [exchange for exchange in known if _name(exchange.request) not in names]
    return Script(failing=tuple(failing[:MAX_REPLAYED]), good=tuple(good[:MAX_REPLAYED]))


def _observed(pack: EvidencePack, health: HttpRequest) -> list[Exchange]:
    """Return the request of the failure itself; of a write only the recorder has the body, so it is not made up here."""
    failure = pack.failure
    if not failure.path or failure.path == health.path:
        return [Exchange(request=health, good=False, source=HEALTH)]
    if failure.method not in {"GET", "HEAD"}:
        return []
    request = HttpRequest(method=failure.method, path=failure.path)
    return [Exchange(request=request, good=False, source="observed")]


def _declared(raw: Mapping[str, Any]) -> HttpRequest:
    """Return a smoke request as a manager declared it (docs/services.md)."""
    return HttpRequest(
        method=str(raw.get("method", "GET")),
        path=str(raw.get("path", "/")),
        headers=dict(raw.get("headers", {})),
        body=str(raw.get("body", "")).encode(),
    )


def _unique(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Keep the first exchange of each read; writes are all kept, since order and number matter to them."""
    seen: set[str] = set()
    kept = []
    for exchange in exchanges:
        name = _name(exchange.request)
        if name not in seen or exchange.request.method not in {"GET", "HEAD"}:
            kept.append(exchange)
        seen.add(name)
    return kept


def _name(request: HttpRequest) -> str:
    return f"{request.method} {request.path} {request.body!r}"


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of the service to start: its files and environment, and a short name for the copy."""

    name: str
    tree: Tree
    environment: Mapping[str, str]


def run_copy(
    incident: Incident, tools: Tools, version: Version, requests: Sequence[HttpRequest]
) -> Copy:
    """Start one copy of a version, replay the requests in order, and close it.

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
    )
    box = tools.sandbox(spec.runtime).open(plan)
    answers: list[Answer] = []
    startup = StartUp(answered=False, seconds=0.0)
    try:
        startup = box.start()
        if startup.answered:
            answers = _replay(box, requests, spec.timeout)
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


def _replay(box: Box, requests: Sequence[HttpRequest], timeout: float) -> list[Answer]:
    """Ask in order; after a timeout no more is asked, or a hanging copy would cost a timeout a request."""
    answers: list[Answer] = []
    for request in requests:
        answers.append(box.ask(request, timeout))
        if answers[-1].failure == "timeout":
            break
    return answers
