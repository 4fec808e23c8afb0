"""Puts the facts of a failure into pieces of evidence that people and models can read: bounded text, one topic each."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents.engine.facts import Facts
from incidents.engine.lines import as_text
from incidents.engine.patches import unified_diff
from incidents.engine.redaction import SECRET_NAME
from incidents.engine.tracebacks import Frame
from monitoring.values import ProcessState

MOST_CHARACTERS = 20_000
LINES_AROUND = 3
MOST_FRAMES = 30
LOG_BEFORE, LOG_AFTER, LOG_END = 60, 60, 150
_STATES = {
    "R": "running", "S": "waiting", "D": "waiting for a device", "T": "stopped by a signal",
    "t": "stopped by a debugger", "Z": "ended, not yet collected", "X": "dead", "I": "idle",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One piece before it has its id: `kind` is what diagnoses cite by."""

    kind: str
    title: str
    body: str


def exhibits_of(facts: Facts, *, cpu_share: float | None = None) -> Iterator[Exhibit]:
    """Yield what the pack itself shows; pieces without content are left out."""
    pack = facts.pack
    found = (
        ("answer", "The failing observation", _answer(facts)),
        ("traceback", "Traceback", pack.failure.traceback),
        ("source", "Where it went through the service's own code", _frames(facts)),
        ("process", "Process", _process(pack.process, cpu_share)),
        ("log", "Log around the failure", _log(facts)),
        ("stack", "Stacks of the running process", pack.stacks),
        ("changes", "Changes since last known good", _changes(facts)),
        ("config", "Config values that changed", _config(facts)),
        ("environment", "Environment variables that changed", _environment(facts)),
        ("requests", "Requests that failed", _requests(facts)),
        ("impact", "Measured impact", _impact(pack.measured)),
    )
    for kind, title, body in found:
        if body.strip():
            yield Exhibit(kind=kind, title=title, body=bounded(body))


def bounded(text: str, limit: int = MOST_CHARACTERS) -> str:
    """Return the text without what databases and pages cannot hold (NUL, half characters), its middle left out if long."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= limit:
        return text
    half = limit // 2 - 30
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[... {left_out} characters left out ...]\n{text[-half:]}"


def _answer(facts: Facts) -> str:
    failure = facts.pack.failure
    asked = f"{failure.method} {failure.path}" if failure.path else "the process"
    lines = [f"{asked} -> {failure.status or failure.symptom.replace('_', ' ')}"]
    if failure.latency_ms:
        lines.append(f"after {failure.latency_ms:.0f} ms")
    return "\n".join([*lines, f"{failure.error_type}: {failure.detail}".strip(": ")])


def _frames(facts: Facts) -> str:
    """Return each frame in the service's files with the lines around it, the innermost first."""
    parts = []
    for trace in reversed(facts.chain):
        parts.append(f"{trace.type}: {trace.message}".strip(": "))
        parts += [_frame(facts, frame) for frame in reversed(trace.frames)]
    shown = [part for part in parts if part]
    return "\n\n".join(shown[: MOST_FRAMES * 2])


def _frame(facts: Facts, frame: Frame) -> str:
    file = facts.places.locate(frame.path)
    text = as_text(facts.pack.current.get(file, b"")) if file else None
    if not text:
        return ""
    lines = text.split("\n")
    first = max(frame.line - LINES_AROUND, 1)
    shown = [
        f"{_mark(facts, file, number, frame.line)} {number:>5}  {lines[number - 1][:300]}"
        for number in range(first, min(frame.line + LINES_AROUND, len(lines)) + 1)
    ]
    return "\n".join([f"{file}, line {frame.line}, in {frame.function or 'the file'}", *shown])


def _mark(facts: Facts, file: str, number: int, culprit: int) -> str:
    """Return `>` for the frame's line and `*` for a line that changed since last known good."""
    return (">" if number == culprit else " ") + ("*" if facts.changed(file, number) else " ")


def _process(state: ProcessState, cpu_share: float | None) -> str:
    rows = (
        ("phase", state.phase),
        ("pid", state.pid),
        ("exit status", state.exit_code),
        ("ended by", _signal(state.signal)),
        ("started", _time(state.started_at)),
        ("starts so far", state.generation or None),
        ("state", _STATES.get(state.state, state.state) or None),
        ("memory", None if state.memory_bytes is None else f"{state.memory_bytes / 1e6:.1f} MB"),
        ("processor time", None if state.cpu_seconds is None else f"{state.cpu_seconds:.2f} s"),
        ("processor now", None if cpu_share is None else f"{cpu_share:.0%} of one processor"),
        ("open files", state.open_files),
        ("threads", state.threads),
    )
    return "\n".join(f"{name}: {value}" for name, value in rows if value is not None)


def _signal(number: int | None) -> str | None:
    if not number:
        return None
    known = {one.value: one.name for one in signal.Signals}
    return f"{known.get(number, 'signal')} ({number})"


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat()


def _log(facts: Facts) -> str:
    """Return the log around the last mention of the failure, or its end when it is not mentioned."""
    lines = facts.pack.log_tail.splitlines()
    named = facts.pack.failure.error_type.rpartition(".")[2]
    at = [n for n, line in enumerate(lines) if named and named in line] if facts.chain else []
    if not at or at[-1] > len(lines) - LOG_AFTER:
        return "\n".join(lines[-LOG_END:])
    around = lines[max(at[-1] - LOG_BEFORE, 0) : at[-1] + LOG_AFTER]
    later = len(lines) - at[-1] - LOG_AFTER
    return "\n".join([*around, f"[... {later} later lines left out ...]"])


def _changes(facts: Facts) -> str:
    pack = facts.pack
    if facts.unreadable:
        return "The service's files cannot be read, so that no comparison is possible."
    if pack.last_good is None:
        return "There is no last known good state yet."
    after = {path: pack.current.get(path) for path in {*pack.last_good, *pack.current}}
    return unified_diff(pack.last_good, after) or "No file changed since last known good."


def _config(facts: Facts) -> str:
    return "\n".join(f"{change.file}: {change.words()}" for change in facts.changed_values)


def _environment(facts: Facts) -> str:
    """Return each changed variable with its values, those with a telltale name hidden."""
    before, now = facts.pack.last_good_environment or {}, facts.pack.environment
    return "\n".join(
        f"{name}: was {_value(name, before)}, is {_value(name, now)}"
        for name in facts.changed_environment
    )


def _value(name: str, environment: Mapping[str, str]) -> str:
    if name not in environment:
        return "not set"
    return "set (hidden)" if SECRET_NAME.search(name) else repr(environment[name])


def _requests(facts: Facts) -> str:
    """Return the recorded requests that failed, each with the beginning of its answer."""
    parts = []
    for exchange in facts.pack.failing[:10]:
        answer = exchange.expected
        asked = f"{exchange.request.method} {exchange.request.path}"
        if answer is None:
            continue
        body = answer.body[:400].decode("utf-8", "replace")
        outcome = answer.status or answer.failure
        parts.append(f"{asked} -> {outcome} after {answer.elapsed_ms:.0f} ms\n{body}".strip())
    return "\n\n".join(parts)


def _impact(measured: Mapping[str, Any]) -> str:
    rows = []
    for name, value in measured.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        rows.append(f"{name.replace('_', ' ')}: {shown}")
    return "\n".join(rows)
