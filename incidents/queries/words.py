"""Values in words, prepared once in Python: template filters in loops cost twice as much."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

STATUS_WORDS = {
    "DETECTED": "Detected",
    "INVESTIGATING": "Investigating",
    "FIX_PROPOSED": "Fix proposed",
    "TESTING": "Testing",
    "REVIEWING": "Reviewing",
    "AWAITING_APPROVAL": "Awaiting approval",
    "ESCALATED": "Escalated",
    "DEPLOYING": "Deploying",
    "VERIFYING": "Verifying",
    "ROLLED_BACK": "Rolled back",
    "RESOLVED": "Resolved",
    "RECOVERED": "Recovered",
    "REJECTED": "Rejected",
    "CLOSED": "Closed",
}


def duration(seconds: float | None) -> str:
    """Return a span of time for people: "20 ms", "0.4 s", "12 s", "3 min 05 s", "2 h 10 min", "4 d 3 h"."""
    if seconds is None:
        return ""
    if seconds < 0.0995:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def between(start: datetime | None, end: datetime | None) -> str:
    """Return how long it took, or "" when either end is not known."""
    return duration((end - start).total_seconds()) if start and end else ""


@cache
def status_html(status: str) -> SafeString:
    """Return the badge of a status: made once a process, not once a row."""
    context = {"status": status, "label": STATUS_WORDS[status]}
    return SafeString(render_to_string("components/status.html", context).strip())


@cache
def severity_html(severity: str) -> SafeString:
    """Return the mark of a severity: made once a process, not once a row."""
    html = render_to_string("components/severity.html", {"severity": severity})
    return SafeString(html.strip())


def answer_words(answer: dict[str, Any] | None) -> str:
    """Return a replayed answer of a receipt in words: "500 in 12 ms", "no answer: timeout"."""
    if not answer:
        return ""
    if answer.get("status") is None:
        failure = str(answer.get("failure") or "none").replace("_", " ")
        return f"no answer: {failure}"
    return f"{answer['status']} in {answer.get('ms', 0):.0f} ms"


def action_words(action: Mapping[str, Any]) -> str:
    """Return one typed action of a fix in words: "Restart the service"."""
    path = action.get("path", "")
    match action.get("kind"):
        case "restart":
            return "Restart the service"
        case "edit":
            return f"Edit {path}"
        case "revert" if action.get("hunks"):
            count = len(action["hunks"])
            return f"Put {count} change{'s' if count > 1 else ''} in {path} back to last known good"
        case "revert":
            return f"Put {path} back to last known good"
        case "revert_env":
            return f"Put {', '.join(action.get('names', []))} back to last known good"
        case kind:
            return str(kind)
