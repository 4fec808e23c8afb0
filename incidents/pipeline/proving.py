"""Starts one copy of a service in isolation and asks it what it is to be proved by; laboratory.py shares the copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

from incidents.engine.redaction import redact
from incidents.models import Incident
from incidents.pipeline.tools import Tools
from incidents.ports import Box
from incidents.values import BoxPlan, BoxUsage, StartUp
from monitoring.check_commands import CheckCommand, CheckRun
from monitoring.values import Answer, HttpRequest, Tree

MEMORY_BYTES = 1_000_000_000
READS = {"GET", "HEAD"}
NOT_ASKED = "not_asked"
NOT_STARTED = "the copy did not start"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """How one copy of the service behaved: its start, one answer a request (in order), and what it used."""

    startup: StartUp
    answers: tuple[Answer, ...]
    usage: BoxUsage
    isolation: str
    log_tail: str = ""
    checks: tuple[CheckRun, ...] = ()


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


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a copy is asked: requests in order, then check commands.

    The reads are asked again in `rounds` further requests, for what grows with each. `vital` are the positions of
    requests that are asked even after a timeout; `proof` are the files of the check commands as they are live, which
    stand in every copy, so that no version brings its own.
    """

    requests: Sequence[HttpRequest]
    vital: frozenset[int] = frozenset()
    commands: tuple[CheckCommand, ...] = ()
    rounds: int = 0
    proof: Tree = field(default_factory=dict)


def run_copy(incident: Incident, tools: Tools, version: Version, asked: Asked) -> Copy:
    """Start one copy of a version, replay the requests in order, run the check commands, and close it.

    Never raises for the copy's fault; raises `SandboxError` when no copy could be made at all.
    """
    spec = incident.service.spec()
    plan = BoxPlan(
        name=f"{spec.slug}-{incident.pk}-{version.name}",
        tree={**version.tree, **asked.proof},
        data_from=spec.directory,
        data_globs=spec.data_globs,
        command=spec.command,
        environment=version.environment,
        health_path=spec.health_path,
        patience=version.patience,
        start_timeout=version.start_timeout,
        memory_bytes=MEMORY_BYTES,
        helpers=tuple(name for command in asked.commands for name in command.files),
    )
    box = tools.sandbox(spec.runtime).open(plan)
    answers: list[Answer] = []
    checks: list[CheckRun] = []
    startup = StartUp(answered=False, seconds=0.0)
    try:
        startup = box.start()
        if startup.answered:
            answers = _replay(box, asked, version.timeout or spec.timeout)
            _use(box, asked, spec.timeout)
            checks = _checked(box, asked.commands, answers, version)
        elif startup.hung and asked.requests[0].path == spec.health_path:
            answers = [Answer(failure="timeout", elapsed_ms=(version.patience or 0) * 1000)]
    finally:
        usage = box.close()
    why = NOT_ASKED if answers else "not_started"
    missing = [Answer(failure=why)] * (len(asked.requests) - len(answers))
    return Copy(
        startup=startup,
        answers=(*answers, *missing),
        usage=usage,
        isolation=box.isolation,
        log_tail=startup.log_tail,
        checks=tuple(checks) or (CheckRun(ran=False, why=NOT_STARTED),) * len(asked.commands),
    )


def _checked(
    box: Box, commands: Sequence[CheckCommand], answers: Sequence[Answer], version: Version
) -> list[CheckRun]:
    """Run every check command in the state that the replay left; a copy that hangs would only hold up each of them."""
    if any(answer.failure == "timeout" for answer in answers):
        return [CheckRun(ran=False, why="the copy did not answer in time")] * len(commands)
    ran = (box.check(command.words, command.seconds) for command in commands)
    return [replace(one, output=redact(one.output, version.environment)) for one in ran]


def _use(box: Box, asked: Asked, timeout: float) -> None:
    """Ask the reads again and again, so that what grows with each request becomes visible; stop when one fails."""
    reads = [request for request in asked.requests if request.method in READS]
    for request in islice(cycle(reads), asked.rounds):
        if box.ask(request, timeout).failure:
            return


def _replay(box: Box, asked: Asked, timeout: float) -> list[Answer]:
    """Ask in order; after a timeout only the vital positions are still asked, after a second one nothing is.

    Else a hanging copy would cost a timeout a request. The vital ones failed before: a copy that hangs at a good request
    ahead of them must not hide whether the failure is seen in it.
    """
    answers: list[Answer] = []
    timeouts = 0
    for position, request in enumerate(asked.requests):
        wanted = timeouts == 0 or (timeouts == 1 and position in asked.vital)
        answers.append(box.ask(request, timeout) if wanted else Answer(failure=NOT_ASKED))
        timeouts += answers[-1].failure == "timeout"
    return answers
