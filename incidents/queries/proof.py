"""Why a fix may be trusted, as the page shows it: receipt, safety, confidence."""

from __future__ import annotations

from typing import Any

from incidents.models import Decision, Incident, SafetyReview, Trial
from incidents.queries.words import answer_words, duration

TERM_WORDS = {
    "base": "Start",
    "category": "Kind of failure known",
    "file": "File known",
    "line": "Line known",
    "trial": "Trial passed",
    "applied": "Fix applied in the trial",
    "safety": "Safety passed",
    "safety score": "Safety score",
    "model": "Claude answered",
    "severity": "Severity",
    "limit": "Limit",
    "learning": "Learned from the past",
}
VERDICTS = {
    "ok": ("as it should be", "ok"),
    "differs": ("another answer", "danger"),
    "still fails": ("still fails", "danger"),
    "not judged": ("cannot be judged", "warn"),
}
RULES = {
    "broken": "broken: ",
    "broken by the data": "broken by the data, with and without the fix: ",
    "not run": "not checked: ",
}
KINDS = {
    Decision.Kind.AUTO: "Goes live without a person",
    Decision.Kind.ASK: "People decide",
    Decision.Kind.ESCALATE: "An expert decides",
}


def receipt(trial: Trial | None) -> dict[str, Any] | None:
    """Return what the trial saw, request by request, the failing ones first."""
    if trial is None:
        return None
    body = trial.receipt
    lines = [_request(line) for line in body.get("requests", [])]
    return {
        "passed": trial.passed,
        "title": {True: "Passed", False: "Failed", None: "No trial was possible"}[trial.passed],
        "tone": {True: "ok", False: "danger", None: "warn"}[trial.passed],
        "reason": trial.reason,
        "reproduced": _reproduced(trial.reproduced),
        "isolation": trial.isolation or "none",
        "took": duration(trial.duration_ms / 1000),
        "digest": trial.digest[:12],
        "failing": [line for line in lines if line["kind"] == "failing"],
        "good": [line for line in lines if line["kind"] != "failing"],
        "facts": _facts(body),
    }


def _reproduced(seen: bool | None) -> str:  # noqa: FBT001 - a stored three-way answer, not a switch
    return {
        True: "The failure was seen again without the fix.",
        False: "The failure could not be seen again without the fix.",
        None: "The copy without the fix could not be judged.",
    }[seen]


def _request(line: dict[str, Any]) -> dict[str, Any]:
    words, tone = VERDICTS.get(line.get("verdict", ""), (line.get("verdict", ""), "warn"))
    return {
        "kind": line.get("kind"),
        "request": f"{line.get('method', '')} {line.get('path', '')}",
        "before": answer_words(line.get("before")),
        "before_bad": _status(line.get("before")) != _status(line.get("expected")),
        "after": answer_words(line.get("after")),
        "expected": answer_words(line.get("expected")),
        "verdict": words,
        "tone": tone,
        "differences": line.get("differences", []),
    }


def _status(answer: dict[str, Any] | None) -> Any:
    return (answer or {}).get("status")


def _facts(body: dict[str, Any]) -> list[tuple[str, str]]:
    started = [
        ("Start-up with the fix", body.get("start_up")),
        ("Start-up without it", body.get("start_up_without")),
        ("Start-up of last known good", body.get("start_up_last_good")),
    ]
    facts = [(name, _start_up(seen)) for name, seen in started if seen]
    usage = body.get("usage") or {}
    if usage.get("peak_memory_bytes"):
        facts.append(("Memory at most", f"{usage['peak_memory_bytes'] / 1e6:.0f} MB"))
    if usage.get("written_outside_data"):
        facts.append(("Wrote outside its data", ", ".join(usage["written_outside_data"])))
    for rule in body.get("invariants") or []:
        said = rule["after"] if rule["verdict"] != "holds" else "holds"
        facts.append((f"Rule: {rule['name']}", f"{RULES.get(rule['verdict'], '')}{said}"))
    facts += [("Proves less", words) for words in body.get("lowers") or []]
    return facts


def _start_up(seen: dict[str, Any]) -> str:
    if seen.get("answered"):
        return f"answered after {seen.get('seconds', 0):.2f} s"
    if seen.get("signal"):
        return f"ended by signal {seen['signal']}"
    if seen.get("exit_code") is not None:
        return f"exited with {seen['exit_code']}"
    return "did not answer in time"


def safety(reviews: list[SafetyReview]) -> list[dict[str, Any]]:
    """Return each reviewer's verdict with its findings and each policy as passed or broken."""
    return [
        {
            "reviewer": row.reviewer,
            "title": {True: "Passed", False: "Objects", None: "No verdict"}[row.passed],
            "tone": {True: "ok", False: "danger", None: "warn"}[row.passed],
            "score": f"{row.score:.2f}",
            "note": row.note,
            "policies": [
                {"name": name.replace("_", " "), "ok": bool(kept)}
                for name, kept in sorted(row.policies.items())
            ],
            "findings": [_finding(finding) for finding in row.findings],
        }
        for row in reviews
    ]


def _finding(finding: dict[str, Any]) -> dict[str, Any]:
    path, line = finding.get("path", ""), finding.get("line")
    return {
        "rule": finding.get("rule", ""),
        "detail": finding.get("detail", ""),
        "place": f"{path}:{line}" if path and line else path,
        "severity": finding.get("severity", ""),
    }


def confidence(incident: Incident, decision: Decision | None) -> dict[str, Any] | None:
    """Return the score with both thresholds and every term."""
    if decision is None or not decision.terms:
        return None
    return {
        "score": decision.score,
        "ask_at": incident.service.escalation_threshold,
        "auto_at": incident.service.auto_threshold,
        "verdict": KINDS.get(Decision.Kind(decision.kind), ""),
        "reasons": decision.reasons,
        "terms": [_term(term) for term in decision.terms],
    }


def _term(term: dict[str, Any]) -> dict[str, Any]:
    value = float(term.get("value", 0))
    return {
        "label": TERM_WORDS.get(term.get("name", ""), term.get("name", "")),
        "value": f"{value:+.2f}" if value else "0",
        "note": term.get("note", "") if value else _not_earned(term.get("note", "")),
        "earned": bool(value),
    }


def _not_earned(note: str) -> str:
    """Return the note of a term that gave nothing; the label before it says what would have counted."""
    return "not so here" if note.startswith("not so: ") else note
