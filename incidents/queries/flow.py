"""The seven steps of an incident as a real progress display: what is done, how long it took, where it stands."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from incidents.models import Deployment
from incidents.queries.words import between
from incidents.states import ENDED, WAITING, Status, Step

if TYPE_CHECKING:
    from incidents.queries.page import Loaded

LABELS = {
    "detect": "Detect",
    "diagnose": "Diagnose",
    "fix": "Fix",
    "prove": "Prove",
    "review": "Review",
    "deploy": "Deploy",
    "verify": "Verify",
}
RUNNING = {
    Step.COLLECT: "diagnose",
    Step.DIAGNOSE: "diagnose",
    Step.PROPOSE: "fix",
    Step.TRIAL: "prove",
    Step.REVIEW: "review",
    Step.DECIDE: "review",
    Step.DEPLOY: "deploy",
    Step.VERIFY: "verify",
}
Outcome = tuple[str, datetime | None]  # done, failed, skipped or "" with the moment


def steps(loaded: Loaded) -> list[dict[str, Any]]:
    """Return the steps in order, in the shape that components/flow.html documents."""
    outcomes = _outcomes(loaded)
    begun = loaded.incident.failed_since or loaded.incident.detected_at
    shown = []
    for key, label in LABELS.items():
        state, at = outcomes[key]
        shown.append(
            {"key": key, "label": label, "state": state, "at": at, "took": _took(begun, at)}
        )
        begun = at or begun
    _mark_present(loaded, shown, begun)
    return shown


def _took(begun: datetime, at: datetime | None) -> str:
    """Return how long it took; in the narrow column of a phone a number keeps its unit."""
    return re.sub(r"(\d) (?=[a-z])", "\\1\N{NO-BREAK SPACE}", between(begun, at))


def _outcomes(loaded: Loaded) -> dict[str, Outcome]:
    diagnosis, fix = loaded.diagnosis, loaded.fix
    return {
        "detect": ("done", loaded.incident.detected_at),
        "diagnose": ("done", diagnosis.created_at) if diagnosis else ("", None),
        "fix": ("done", fix.created_at) if fix else _no_fix(loaded),
        "prove": _proved(loaded),
        "review": _reviewed(loaded),
        "deploy": _deployed(loaded.deployment),
        "verify": _verified(loaded.deployment),
    }


def _no_fix(loaded: Loaded) -> Outcome:
    return ("failed", loaded.decision.created_at) if loaded.decision else ("", None)


def _proved(loaded: Loaded) -> Outcome:
    if loaded.trial is None:
        return "", None
    words = {True: "done", False: "failed", None: "skipped"}
    return words[loaded.trial.passed], loaded.trial.created_at


def _reviewed(loaded: Loaded) -> Outcome:
    if not loaded.reviews:
        return "", None
    bad = any(row.passed is False for row in loaded.reviews)
    return "failed" if bad else "done", max(row.created_at for row in loaded.reviews)


def _deployed(deployment: Deployment | None) -> Outcome:
    if deployment is None:
        return "", None
    if deployment.written_at:
        return "done", deployment.written_at
    return ("failed", deployment.undone_at) if deployment.undone_at else ("", None)


def _verified(deployment: Deployment | None) -> Outcome:
    if deployment is None:
        return "", None
    if deployment.undone_at or deployment.state == Deployment.State.UNDO_FAILED:
        return "failed", deployment.undone_at
    return ("done", deployment.healthy_at) if deployment.healthy_at else ("", None)


def _mark_present(loaded: Loaded, shown: list[dict[str, Any]], begun: datetime) -> None:
    """Say which step runs now or waits for a person, and that what will not come is skipped."""
    incident = loaded.incident
    running = RUNNING.get(Step(incident.step))
    open_ones = [step for step in shown if not step["state"]]
    if incident.status in ENDED:
        done = incident.status == Status.RESOLVED
        for step in open_ones:
            step["state"] = "done" if done else "skipped"
    elif incident.status in WAITING:
        if open_ones:
            open_ones[0]["state"] = "asked"
    else:
        for step in shown:
            if step["key"] == running:
                step.update(state="running", at=begun, took="")
    for step in shown:
        step["state"] = step["state"] or "waiting"
