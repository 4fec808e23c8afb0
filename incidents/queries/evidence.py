"""The engineers' evidence as the page shows it: frames with source lines, log, process, changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from incidents.engine import tracebacks
from incidents.engine.redaction import redact
from incidents.models import Diagnosis, Evidence, Incident
from incidents.queries import diffs
from incidents.queries.highlight import coloured
from incidents.queries.links import line_url
from monitoring.models import Blob, Service

AROUND = 6
FRAMES_SHOWN = 8
LOG_LINES_SHOWN = 60
DIFF_ROWS_SHOWN = 300
GROUP = 100
MARKED = re.compile(r"\b(ERROR|CRITICAL|FATAL|Traceback|Exception|Error:|Killed|signal)\b|Error\b")
WARNED = re.compile(r"\bWARN(ING)?\b")
OWN = {"answer", "traceback", "log", "changes", "process"}  # kinds that have a place of their own


def shown(incident: Incident, row: Evidence | None, diagnosis: Diagnosis | None) -> dict[str, Any]:
    """Return every piece of evidence of the present attempt, prepared; one query for the source files."""
    if row is None:
        return {}
    items = {item["kind"]: item for item in row.items}
    trace = (incident.failure or {}).get("traceback", "")
    frames = _frames(trace, row.current)
    wanted = {path for path, _, _ in frames} | ({diagnosis.file} if diagnosis else set())
    sources = _sources(row, wanted)
    return {
        "id": row.pk,
        "collected_at": row.collected_at,
        "answer": _body(items, "answer"),
        "place": _place(incident.service, diagnosis, sources),
        "frames": [
            {"id": f"frame-{number}", **_window(incident.service, frame, sources)}
            for number, frame in enumerate(frames[-FRAMES_SHOWN:])
        ],
        "traceback": _numbered(_body(items, "traceback")),
        "log": log_tail(_body(items, "log")),
        "process": _process(row.pack.get("process", {})),
        "changes": _body(items, "changes"),
        "change_files": _changed(incident.service, _body(items, "changes")),
        "others": [
            {"id": item["id"], "title": item["title"], "lines": _numbered(item["body"])}
            for item in row.items
            if item["kind"] not in OWN
        ],
    }


def _body(items: Mapping[str, Any], kind: str) -> str:
    return str(items[kind]["body"]) if kind in items else ""


def _changed(service: Service, diff: str) -> list[dict[str, Any]]:
    """Return the files changed since last known good with their rows, at most so many each."""
    return [
        {
            "id": f"changed-{number}",
            "title": f"{file.path} since last known good",
            "url": line_url(service, file.path, file.first_line),
            "added": file.added,
            "removed": file.removed,
            "rows": rows[:DIFF_ROWS_SHOWN],
        }
        for number, (file, rows) in enumerate(diffs.unified(diff))
    ]


def log_text(row: Evidence | None) -> str:
    """Return all of the log that was kept, with what is secret replaced."""
    return redact(str(row.pack.get("log_tail", ""))) if row else ""


def _frames(trace: str, manifest: Mapping[str, str]) -> list[tuple[str, int, str]]:
    """Return (path in the service, line, function) of the failing call chain's frames that are the service's own."""
    root = tracebacks.root(tracebacks.parse(trace)) if trace else None
    found = []
    for frame in root.frames if root else ():
        path = _stored_path(frame.path, manifest)
        if path:
            found.append((path, frame.line, frame.function))
    return found


def _stored_path(printed: str, manifest: Mapping[str, str]) -> str:
    """Return the longest stored path that ends the printed one, so that `/srv/shop/handler.py` is `handler.py`."""
    printed = printed.replace("\\", "/")
    ends = [path for path in manifest if printed == path or printed.endswith(f"/{path}")]
    return max(ends, key=len, default="")


def _sources(row: Evidence, paths: set[str]) -> dict[str, str]:
    manifest = {path: row.current[path] for path in paths if path in row.current}
    blobs = Blob.objects.in_bulk(set(manifest.values()))
    return {
        path: bytes(blobs[sha].data).decode("utf-8", "replace")
        for path, sha in manifest.items()
        if sha in blobs
    }


def _place(
    service: Service, diagnosis: Diagnosis | None, sources: Mapping[str, str]
) -> dict[str, Any] | None:
    """Return the lines around the place to blame."""
    if diagnosis is None or not diagnosis.file or not diagnosis.line:
        return None
    return _window(service, (diagnosis.file, diagnosis.line, ""), sources)


def _window(
    service: Service, frame: tuple[str, int, str], sources: Mapping[str, str]
) -> dict[str, Any]:
    path, line, function = frame
    html = coloured(sources.get(path, ""), path)
    first = max(1, line - AROUND)
    lines = [
        {"number": number, "html": html[number - 1], "marked": number == line}
        for number in range(first, min(len(html), line + AROUND) + 1)
    ]
    where = f" in {function}" if function else ""
    return {
        "title": f"{path}, line {line}{where}",
        "url": line_url(service, path, line),
        "lines": lines,
    }


def log_tail(text: str) -> dict[str, Any]:
    """Return the last lines of the log with those that matter marked; the rest is fetched on demand."""
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    first = max(0, len(lines) - LOG_LINES_SHOWN)
    return {
        "lines": [
            _log_line(number, lines[number - 1]) for number in range(first + 1, len(lines) + 1)
        ],
        "total": len(lines),
        "hidden": first,
    }


def whole_log(text: str) -> list[SafeString]:
    """Return the whole log as groups of a hundred lines, which the browser lays out only when they are seen."""
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    numbered = [_raw_line(number, line) for number, line in enumerate(lines, start=1)]
    starts = range(0, len(numbered), GROUP)
    # Each line was escaped by format_html.
    return [mark_safe("".join(numbered[start : start + GROUP])) for start in starts]  # noqa: S308


def _raw_line(number: int, line: str) -> SafeString:
    mark = " line--error" if MARKED.search(line) else " line--warn" if WARNED.search(line) else ""
    return format_html('<span class="line{}" data-n="{}">{}\n</span>', mark, number, line)


def _log_line(number: int, line: str) -> dict[str, Any]:
    return {"number": number, "html": escape(line), "marked": bool(MARKED.search(line))}


def _numbered(text: str) -> list[dict[str, Any]]:
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    return [
        {"number": number, "html": escape(line), "marked": False}
        for number, line in enumerate(lines, start=1)
    ]


def _process(state: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the facts of the process in words; what is not known is left out."""
    memory = state.get("memory_bytes")
    facts = [
        ("Phase", state.get("phase")),
        ("Process id", state.get("pid")),
        ("Exit code", state.get("exit_code")),
        ("Ended by signal", state.get("signal")),
        ("Kernel state", state.get("state")),
        ("Starts so far", state.get("generation")),
        ("Memory", f"{memory / 1e6:.0f} MB" if memory else None),
        ("CPU time", f"{state['cpu_seconds']:.1f} s" if state.get("cpu_seconds") else None),
        ("Open files", state.get("open_files")),
        ("Threads", state.get("threads")),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]
