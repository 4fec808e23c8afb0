"""What an answer says about a service: plain rules without Django, tested by table (tests/monitoring/test_judging.py)."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace
from typing import Any

from monitoring.check_commands import METHOD
from monitoring.extraction import NOTHING, FoundError, error_in_json, find_error, json_body
from monitoring.values import Answer, Health, HttpRequest, ProcessState, Symptom, Verdict

STARTUP_GRACE_SECONDS = 5.0
"""A process that refuses connections and is younger than this is starting, not failing."""

RESTART_SECONDS = 0.5
"""A process that is younger than this cannot have taken a connection which was reset just now."""

_FAILING = {"fail", "failed", "failing", "failure", "down", "unhealthy", "error", "critical", "red"}
_FAILING |= {"outage", "unavailable", "dead", "not ok", "out_of_service"}
_DEGRADED = {"degraded", "warn", "warning", "yellow", "partial", "impaired"}
_CONFIG_ERRORS = {"JSONDecodeError", "ConfigError", "ConfigurationError", "TOMLDecodeError"}
_CONFIG_ERRORS |= {"ImproperlyConfigured", "ScannerError", "ParserError", "YAMLError"}
_UNANSWERED = {
    "refused": (Symptom.REFUSED, "The connection was refused."),
    "timeout": (Symptom.TIMEOUT, "No answer within the time limit."),
    "reset": (Symptom.REFUSED, "The connection was closed before the answer was whole."),
    "unreachable": (Symptom.REFUSED, "The address cannot be reached."),
    "malformed": (Symptom.WRONG_BODY, "The answer is not HTTP."),
    "too_large": (Symptom.WRONG_BODY, "The headers of the answer are too large."),
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was asked: the request, when it counts as slow, and what it must answer.

    `health` is true for the health path, whose body is understood; other requests (smoke requests) answer for
    themselves and must have `expected_status`, or any status under 400 when that is None.
    """

    request: HttpRequest
    slow_ms: float
    health: bool = True
    expected_status: int | None = None


def judge(answer: Answer, question: Question) -> Verdict:
    """Return the health that one answer proves.

    Rules in order: no answer; an error status; a wrong body; a body that says failing or degraded; slow; healthy.
    A failing smoke request means degraded, because the health path itself still answers.
    """
    facts = _Facts(answer, question)
    if answer.failure:
        symptom, detail = _UNANSWERED.get(answer.failure, (Symptom.REFUSED, answer.failure))
        verdict = facts.failing(symptom, FoundError(type=answer.failure, detail=detail))
    elif not _expected(answer.status or 0, question):
        verdict = _judge_error(answer, facts)
    else:
        verdict = _judge_body(answer, facts)
    if verdict.health is Health.HEALTHY and answer.elapsed_ms > question.slow_ms:
        detail = f"{answer.elapsed_ms:.0f} ms, the limit is {question.slow_ms:.0f} ms."
        return replace(verdict, health=Health.DEGRADED, symptom=Symptom.SLOW, detail=detail)
    return verdict


def judge_process(verdict: Verdict, process: ProcessState, *, now: float) -> Verdict:
    """Return the verdict of a refused connection in the light of what the keeper knows of the process.

    A planned stop and a process that is just starting prove nothing (health unknown); an exit names its code or
    signal; a process that runs and still refuses stays refused. `now` is when the answer came, in epoch seconds.
    """
    if process.phase == "stopped":
        return replace(
            verdict, health=Health.UNKNOWN, symptom=Symptom.STOPPED, detail="Stopped as planned."
        )
    if process.phase == "running":
        age = None if process.started_at is None else now - process.started_at
        if verdict.error_type == "reset" and age is not None:
            # The planned stop of the former process closed this connection: the new one cannot have.
            is_older = age > verdict.latency_ms / 1000 + RESTART_SECONDS
            detail = "The process was restarted while it was asked."
            return verdict if is_older else replace(verdict, health=Health.UNKNOWN, detail=detail)
        if verdict.error_type != "refused":
            return verdict
        if age is not None and age < STARTUP_GRACE_SECONDS:
            return replace(verdict, health=Health.UNKNOWN, detail="The process is starting.")
        detail = f"Process {process.pid} runs, but refuses connections."
        return replace(verdict, detail=detail)
    return replace(
        judge_exit(process), method=verdict.method, path=verdict.path, latency_ms=verdict.latency_ms
    )


def judge_exit(process: ProcessState) -> Verdict:
    """Return the verdict of a process that is gone, with its exit code or signal."""
    if process.signal:
        name = _signal_name(process.signal)
        error = (name, f"The process was ended by {name}.")
    elif process.exit_code is not None:
        error = (f"exit {process.exit_code}", f"The process ended with code {process.exit_code}.")
    else:
        error = ("absent", "No process is known for this service.")
    return Verdict(
        health=Health.DOWN, symptom=Symptom.NO_PROCESS, error_type=error[0], detail=error[1]
    )


def broken_invariant(*, request: HttpRequest, name: str, detail: str, answer: Answer) -> Verdict:
    """Return the verdict of an answer that breaks a declared invariant (`name`; `detail` says where)."""
    return Verdict(
        health=Health.DEGRADED,
        symptom=Symptom.WRONG_ANSWER,
        error_type=name[:120],
        detail=detail,
        method=request.method,
        path=request.path,
        status=answer.status,
        latency_ms=round(answer.elapsed_ms, 2),
    )


def broken_check(*, name: str, detail: str, seconds: float) -> Verdict:
    """Return the verdict of a declared check command that found its rule (`name`) broken."""
    return Verdict(
        health=Health.DEGRADED,
        symptom=Symptom.WRONG_ANSWER,
        error_type=name[:120],
        detail=detail,
        method=METHOD,
        latency_ms=round(seconds * 1000, 2),
    )


class _Facts:
    """Makes verdicts that carry the facts of one answer."""

    def __init__(self, answer: Answer, question: Question) -> None:
        self.question = question
        self._answer = answer

    def verdict(self, health: Health, symptom: Symptom, found: FoundError) -> Verdict:
        return Verdict(
            health=health,
            symptom=symptom,
            error_type=found.type,
            detail=found.detail,
            traceback=found.traceback,
            method=self.question.request.method,
            path=self.question.request.path,
            status=self._answer.status,
            latency_ms=round(self._answer.elapsed_ms, 2),
        )

    def healthy(self) -> Verdict:
        return self.verdict(Health.HEALTHY, Symptom.NONE, NOTHING)

    def failing(self, symptom: Symptom, found: FoundError) -> Verdict:
        health = Health.DOWN if self.question.health else Health.DEGRADED
        return self.verdict(health, symptom, found)


def _expected(status: int, question: Question) -> bool:
    if question.expected_status is not None:
        return status == question.expected_status
    return 200 <= status < (300 if question.health else 400)


def _judge_error(answer: Answer, facts: _Facts) -> Verdict:
    """Judge an unexpected status: a health report that says failing keeps its own meaning."""
    if facts.question.health:
        report = _health_report(answer, facts)
        if report is not None:
            return report
    found = find_error(answer)
    named = found.type or f"HTTP {answer.status}"
    detail = found.detail or f"Answered with status {answer.status}."
    located = FoundError(type=named, detail=detail, traceback=found.traceback)
    is_config = facts.question.health and found.type in _CONFIG_ERRORS
    return facts.failing(Symptom.BAD_CONFIG if is_config else Symptom.HTTP_ERROR, located)


def _judge_body(answer: Answer, facts: _Facts) -> Verdict:
    """Judge the body of an expected status."""
    wrong = _wrong_body(answer, health=facts.question.health)
    if wrong:
        return facts.failing(Symptom.WRONG_BODY, FoundError(type="wrong_body", detail=wrong))
    report = _health_report(answer, facts) if facts.question.health else None
    return report or facts.healthy()


def _wrong_body(answer: Answer, *, health: bool) -> str:
    """Return what is wrong with the body as such, or nothing. Plain text such as "OK" is a fine health answer."""
    if answer.truncated and health:
        return f"The body is larger than {len(answer.body)} bytes."
    if answer.truncated or answer.status == 204:
        return ""
    kind = answer.headers.get("content-type", "").lower()
    if not answer.body.strip():
        return "The body is empty." if health or "json" in kind else ""
    if "json" in kind or (health and answer.body.lstrip()[:1] in {b"{", b"["}):
        return _json_fault(answer)
    if health and not _is_text(answer.body):
        return "The body is binary."
    return ""


def _json_fault(answer: Answer) -> str:
    try:
        json_body(answer)
    except ValueError as error:
        return f"The body should be JSON: {error}"[:300]
    return ""


def _is_text(body: bytes) -> bool:
    try:
        text = body[:4096].decode("utf-8", "strict" if len(body) <= 4096 else "ignore")
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def _health_report(answer: Answer, facts: _Facts) -> Verdict | None:
    """Return the verdict of a body that reports its own health as failing or degraded, else None."""
    try:
        body = json_body(answer)
    except ValueError:
        return None
    word = _status_word(body)
    if word not in _FAILING | _DEGRADED:
        return None
    name, found = _failing_check(body)
    if word in _DEGRADED:
        return facts.verdict(Health.DEGRADED, Symptom.SUBSYSTEM, found)
    is_config = found.type in _CONFIG_ERRORS or "config" in name.lower()
    return facts.failing(Symptom.BAD_CONFIG if is_config else Symptom.SUBSYSTEM_DOWN, found)


def _status_word(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    word = body.get("status", body.get("health", body.get("state", "")))
    if word is False or body.get("healthy") is False or body.get("ok") is False:
        return "failing"
    return word.strip().lower() if isinstance(word, str) else ""


_CHECK_KEYS = ("checks", "subsystems", "components", "details", "services")


def _failing_check(body: dict[str, Any]) -> tuple[str, FoundError]:
    """Return the name of the worst subsystem and its error; a top-level `error` says more where there is one."""
    found_keys = [key for key in _CHECK_KEYS if isinstance(body.get(key), dict)]
    checks: dict[str, Any] = body[found_keys[0]] if found_keys else {}
    states = [(name, check) for name, check in checks.items() if _check_word(check)]
    states.sort(key=lambda item: _check_word(item[1]) not in _FAILING)
    name, check = states[0] if states else ("", {})
    found = error_in_json(check) if isinstance(check, dict) else NOTHING
    top = error_in_json({"error": body["error"]}) if body.get("error") else NOTHING
    merged = FoundError(
        type=top.type or found.type or name or "failing",
        detail=_detail(name, top.detail or found.detail),
        traceback=top.traceback or found.traceback,
    )
    return name, merged


def _detail(name: str, detail: str) -> str:
    if name and detail:
        return f"{name}: {detail}"
    return detail or (
        f"The subsystem {name} fails." if name else "The service reports that it fails."
    )


def _check_word(check: Any) -> str:
    word = check if isinstance(check, str) else _status_word(check)
    return word if word in _FAILING | _DEGRADED else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
