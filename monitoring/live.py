"""The live API viewer: what a service answers at this moment, asked for real and shown as it came."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from monitoring import providers
from monitoring.extraction import find_error
from monitoring.models import Service
from monitoring.ports import TargetError
from monitoring.smoke import smoke_reads
from monitoring.values import Answer, HttpRequest, ProcessState, ServiceSpec

# What the demo's shop offers; any other service shows its health and the reads that it declares.
SHOP = (
    ("Products", "/api/products"),
    ("Orders", "/api/orders?limit=20"),
    ("Analytics", "/api/analytics"),
    ("Users", "/api/users?limit=20"),
    ("Config", "/api/config"),
)
FRESH_SECONDS = 0.5
MOST_ROWS, MOST_COLUMNS, MOST_PANELS, MOST_FACTS = 8, 5, 8, 11
MOST_JSON = 40_000
_WORDS = {
    "refused": "The connection was refused: nothing listens there.",
    "timeout": "No answer within the time limit.",
    "reset": "The connection was cut before the answer was complete.",
    "malformed": "What came back is no HTTP.",
    "too_large": "The answer's head is larger than any sane one.",
    "unreachable": "The service cannot be reached.",
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One request with its answer, ready to be shown. `tone` is ok, warn or danger."""

    title: str
    method: str
    path: str
    status: str
    latency: str
    tone: str
    error: str = ""
    traceback: str = ""
    json: str = ""
    is_cut: bool = False
    facts: list[tuple[str, str]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    more: int = 0
    is_empty: bool = False


@dataclass(frozen=True, kw_only=True)
class Look:
    """All panels of one moment, and the process that serves."""

    panels: list[Panel]
    process: list[tuple[str, str]]
    took_ms: int


class _Looks:
    """Shares one look among all who watch: forty viewers must not ask forty times.

    Nobody who was told of a change at the monotonic second `after` is shown what was looked at before.
    """

    def __init__(self) -> None:
        self._kept: dict[int, tuple[float, Look]] = {}
        self._locks: dict[int, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: int, make: Callable[[], Look], *, after: float) -> Look:
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            kept, now = self._kept.get(key), time.monotonic()
            if kept is not None and kept[0] > max(min(after, now), now - FRESH_SECONDS):
                return kept[1]
            look = make()
            self._kept[key] = (now, look)
            return look


_looks = _Looks()


def look(service: Service, *, after: float = 0.0) -> Look:
    """Ask every endpoint of the service at once, and return the answers and the process that gave them.

    What another viewer asked for a moment ago serves too, unless it began before the monotonic second `after`.
    """
    spec, asked = service.spec(), endpoints(service)
    return _looks.get(service.pk, lambda: _look(spec, asked), after=after)


def endpoints(service: Service) -> list[tuple[str, str]]:
    """Return title and path of what is shown of a service."""
    found = [("Health", service.health_path)]
    if service.is_demo:
        return [*found, *SHOP]
    declared = (one.request.path for one in smoke_reads(service.smoke_requests))
    paths = [path for path in dict.fromkeys(declared) if path != service.health_path]
    return [*found, *((path.partition("?")[0], path) for path in paths[: MOST_PANELS - 1])]


def panel(title: str, request: HttpRequest, answer: Answer) -> Panel:
    """Return an answer as it is shown: rendered where it has a known shape, and always as it came."""
    good = answer.status is not None and answer.status < 400
    found = None if good else find_error(answer)
    body = _parsed(answer.body)
    text = _text(answer.body, body)
    rows = _rows(body)
    return Panel(
        title=title,
        method=request.method,
        path=request.path,
        status=str(answer.status) if answer.status is not None else answer.failure or "no answer",
        latency=f"{answer.elapsed_ms:.1f} ms",
        tone="ok" if good else "warn" if (answer.status or 500) < 500 else "danger",
        error=_error_words(answer, found.type if found else "", found.detail if found else ""),
        traceback=found.traceback if found else "",
        json=text[:MOST_JSON],
        is_cut=len(text) > MOST_JSON or answer.truncated,
        facts=_facts(body) if good else [],
        columns=rows[0] if good else [],
        rows=rows[1] if good else [],
        more=rows[2],
        is_empty=good and _items(body) == [],
    )


def process_facts(state: ProcessState | None) -> list[tuple[str, str]]:
    """Return the process or sandbox that serves, as names and values."""
    if state is None:
        return [("Process", "not known: its keeper cannot be asked")]
    facts = [("Process", f"{state.phase}, pid {state.pid}" if state.pid else state.phase)]
    if state.started_at is not None:
        age = _duration(time.time() - state.started_at)
        runs = state.phase == "running"
        facts.append(("Running for", age) if runs else ("Started", f"{age} ago"))
    if state.memory_bytes is not None:
        facts.append(("Memory", f"{state.memory_bytes / 1_048_576:.1f} MB"))
    if state.threads is not None:
        facts.append(("Threads", str(state.threads)))
    if state.open_files is not None:
        facts.append(("Open files", str(state.open_files)))
    if state.generation:
        facts.append(("Start number", str(state.generation)))
    if state.phase == "exited":
        ended = f"signal {state.signal}" if state.signal else f"exit code {state.exit_code}"
        facts.append(("Ended by", ended))
    return facts


def _look(spec: ServiceSpec, asked: Sequence[tuple[str, str]]) -> Look:
    began = time.monotonic()
    reader = providers.reader(spec)

    def ask(path: str) -> Answer:
        try:
            return reader.request(spec, HttpRequest(path=path), spec.timeout)
        except TargetError:
            return Answer(failure="unreachable")

    def process() -> ProcessState | None:
        try:
            return reader.process(spec)
        except TargetError:
            return None

    with ThreadPoolExecutor(len(asked) + 1, thread_name_prefix="live") as pool:
        state = pool.submit(process)
        answers = list(pool.map(ask, [path for _, path in asked]))
    panels = [
        panel(title, HttpRequest(path=path), answer)
        for (title, path), answer in zip(asked, answers, strict=True)
    ]
    took = round((time.monotonic() - began) * 1000)
    return Look(panels=panels, process=process_facts(state.result()), took_ms=took)


def _error_words(answer: Answer, kind: str, detail: str) -> str:
    if answer.status is None:
        return _WORDS.get(answer.failure, "No answer.")
    return f"{kind}: {detail}" if kind and detail else kind or detail


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(raw: bytes, body: Any) -> str:
    if body is None:
        return raw.decode("utf-8", "replace")
    return json.dumps(body, indent=2, ensure_ascii=False)


def _facts(body: Any) -> list[tuple[str, str]]:
    """Return the plain values of an object, those of its parts after its own."""
    if not isinstance(body, Mapping) or isinstance(body.get("items"), list):
        return []
    own = [(str(name), _short(value)) for name, value in body.items() if _is_plain(value)]
    below = _apart(body)
    states = [(name, value["status"]) for name, value in below if _has_status(value)]
    plain = [(name, value) for name, value in below if _is_plain(value)]
    return (own + [(str(name), _short(value)) for name, value in [*states, *plain]])[:MOST_FACTS]


def _apart(body: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    """Return the values of the parts; a name that was there before says whose it is, or two figures look like one."""
    found, known = [], {str(name) for name, value in body.items() if _is_plain(value)}
    for part, inside in body.items():
        for name, value in inside.items() if isinstance(inside, Mapping) else ():
            found.append((f"{part}.{name}" if str(name) in known else str(name), value))
            known.add(str(name))
    return found


def _is_plain(value: Any) -> bool:
    return not isinstance(value, Mapping | list)


def _has_status(value: Any) -> bool:
    return isinstance(value, Mapping) and _is_plain(value.get("status", []))


def _rows(body: Any) -> tuple[list[str], list[list[str]], int]:
    """Return the first plain columns and rows of a list answer, and how many rows more there are."""
    items = _items(body)
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        return [], [], 0
    shown = items[:MOST_ROWS]
    plain = [
        name
        for name in dict.fromkeys(name for item in shown for name in item)
        if not any(isinstance(item.get(name), dict | list) for item in shown)
    ]
    plain = sorted(plain, key=_interest)[:MOST_COLUMNS]
    rows = [[_short(item.get(name)) for name in plain] for item in shown]
    return [str(name) for name in plain], rows, len(items) - len(shown)


def _items(body: Any) -> Any:
    return body.get("items") if isinstance(body, Mapping) else body


_TELLING = ("id", "name", "status", "total_cents", "price_cents", "stock", "email", "placed_at")


def _interest(name: Any) -> int:
    """Sort what a person looks for first to the front; the rest keeps its order."""
    return _TELLING.index(name) if name in _TELLING else len(_TELLING)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}\u2026"


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"
