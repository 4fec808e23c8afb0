"""What follows from the facts of an incident that is over: what was learned, what is open, what is left to do."""

from __future__ import annotations

from incidents.models import Decision
from incidents.queries.account_rows import Rows
from incidents.values import Category

SURE = 0.7


def learned(rows: Rows) -> list[str]:
    """Return what was learned, in sentences."""
    terms = rows.decision.terms if rows.decision else []
    noted = [term["note"] for term in terms if term.get("name") == "learning"]
    lines = [f"The past said: {note}." for note in noted]
    if rows.deployment:
        lines.append(
            "The outcome counts for later fixes of this kind once the watch window has passed; a relapse counts against."
        )
    if rows.before:
        times = "once" if rows.before == 1 else f"{rows.before} times"
        lines.append(f"The same cause was seen {times} before in this service.")
    return lines


def open_questions(rows: Rows) -> list[str]:
    """Return what the facts leave unanswered."""
    trial = getattr(rows.fix, "trial", None)
    row = rows.diagnosis
    checks = [
        (row is None or row.category == Category.UNKNOWN, "What was the cause?"),
        (
            row is not None and row.certainty < SURE,
            "Is the cause the right one? The diagnosis was not certain.",
        ),
        (
            trial is not None and trial.reproduced is not True,
            "The failure was not seen again without the fix: was it the fix that helped?",
        ),
        (
            trial is not None and trial.passed is None,
            "No trial was possible: what is missing for one?",
        ),
        (rows.before > 0 or rows.incident.reopened > 0, "What brings the same cause back?"),
    ]
    return [question for open_, question in checks if open_]


def suggested(rows: Rows) -> list[list[str]]:
    """Return follow-ups that follow from the facts, each as [key, text]."""
    place = rows.diagnosis.file if rows.diagnosis else ""
    service = rows.incident.service
    changes_files = bool(rows.fix and rows.fix.writes)
    checks = [
        (
            changes_files,
            "source",
            f"Bring the fix into the source of {service.name}: it was made on the running service only.",
        ),
        (bool(place), "test", f"Add a test that fails without this fix ({place})."),
        (
            rows.incident.category == Category.CONFIG,
            "config",
            "Check the configuration before it goes live: find out how it got there.",
        ),
        (
            rows.before > 0,
            "recurrence",
            f"Find out why it comes back ({rows.before + 1} times now).",
        ),
        (
            rows.decision is not None and rows.decision.kind == Decision.Kind.OVERRIDE,
            "proof",
            "Make a trial possible for this kind of failure: this fix went live without one.",
        ),
    ]
    return [[key, text] for wanted, key, text in checks if wanted]
