"""Everything of one incident for its page: rows at a constant number of queries, then values for the templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Max

from incidents.models import (
    Decision,
    Deployment,
    Diagnosis,
    Evidence,
    Fix,
    Incident,
    SafetyReview,
    TimelineEntry,
    Trial,
)
from incidents.queries import flow
from incidents.queries.links import line_url
from incidents.queries.words import action_words, between
from incidents.states import ENDED, WORKING, Status, Step

PATH_SHOWN = 40
RELATED = ("service", "assignee", "taken_over_by", "acknowledged_by", "caused_by")
DOES_NOW = {
    Step.COLLECT: "The agent is collecting evidence",
    Step.DIAGNOSE: "The agent is looking for the cause",
    Step.PROPOSE: "The agent is writing a fix",
    Step.TRIAL: "The agent is trying the fix in an isolated copy",
    Step.REVIEW: "The fix is being reviewed for safety",
    Step.DECIDE: "The rules decide who lets the fix go live",
    Step.DEPLOY: "The agent is deploying the fix",
    Step.VERIFY: "The agent is checking that the service is healthy again",
}
ENDED_WORDS = {
    Status.RESOLVED: "Resolved",
    Status.REJECTED: "The fix was rejected; the service may still be failing",
    Status.CLOSED: "Closed by a person",
}
AFTER_UNDO = "Our fix was undone; the service is healthy again with what ran before. The cause may still be there."


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The rows of an incident's present attempt. `seen` is the newest timeline entry that was there before."""

    incident: Incident
    seen: int
    diagnosis: Diagnosis | None
    fixes: list[Fix]
    decisions: list[Decision]
    deployments: list[Deployment]

    @cached_property
    def evidence(self) -> Evidence | None:
        """Return what was collected; read when it is asked for: head and decision bar do without thousands of log lines."""
        incident = self.incident
        return Evidence.objects.filter(incident=incident, attempt=incident.attempt).first()

    @property
    def fix(self) -> Fix | None:
        """Return the fix that is up for decision, else one that was and was not put aside, else the one in trial."""
        by_id = {fix.pk: fix for fix in self.fixes}
        decided = [by_id[d.fix_id] for d in reversed(self.decisions) if d.fix_id in by_id]
        chosen = [fix for fix in self.fixes if fix.state == Fix.State.CHOSEN]
        usable = [fix for fix in self.fixes if fix.state == Fix.State.CANDIDATE]
        standing = [fix for fix in decided if fix.state != Fix.State.LOST]
        return next(iter([*chosen, *standing, *usable, *decided]), None)

    @property
    def offered(self) -> Fix | None:
        """Return that fix while a person may still let it go live: not one that did already and was undone."""
        lived = {row.fix_id for row in self.deployments}
        return self.fix if self.fix and self.fix.pk not in lived else None

    @property
    def trial(self) -> Trial | None:
        """Return the receipt of that fix."""
        return getattr(self.fix, "trial", None)

    @property
    def reviews(self) -> list[SafetyReview]:
        """Return the safety reviews of that fix."""
        return list(self.fix.reviews.all()) if self.fix else []

    @property
    def decision(self) -> Decision | None:
        """Return the rules' last ruling."""
        return next((row for row in reversed(self.decisions) if row.terms), None)

    @property
    def deployment(self) -> Deployment | None:
        """Return the last deployment of the present attempt."""
        mine = {fix.pk for fix in self.fixes}
        return next((row for row in reversed(self.deployments) if row.fix_id in mine), None)


def load(pk: int) -> Loaded:
    """Read an incident; raise `Incident.DoesNotExist`. Seven queries, and one for the evidence.

    The newest timeline entry is read first: what is shown may be newer than `seen` says, and never older.
    """
    seen = TimelineEntry.objects.filter(incident_id=pk).aggregate(last=Max("id"))["last"] or 0
    incident = Incident.objects.select_related(*RELATED).get(pk=pk)
    at: dict[str, Any] = {"incident": incident, "attempt": incident.attempt}
    fixes = Fix.objects.filter(**at).select_related("trial", "proposer").prefetch_related("reviews")
    decisions = incident.decisions.filter(attempt=incident.attempt).select_related("actor")
    deployments = incident.deployments.select_related("decision__actor").order_by("id")
    return Loaded(
        incident=incident,
        seen=seen,
        diagnosis=Diagnosis.objects.filter(**at).first(),
        fixes=list(fixes),
        decisions=list(decisions),
        deployments=list(deployments),
    )


def head(loaded: Loaded) -> dict[str, Any]:
    """Return what the top of the page says: what, how bad, since when, who, what is asked."""
    incident = loaded.incident
    since = incident.failed_since or incident.detected_at
    return {
        "incident": incident,
        "version": loaded.seen,
        "since": since,
        "lasted": between(since, incident.ended_at),
        "asked": asked(loaded),
        "asked_tone": _asked_tone(loaded),
        "hit": _hit(loaded),
        "offer": _offer(loaded),
        "question": _question(loaded),
        "steps": flow.steps(loaded),
    }


def asked(loaded: Loaded) -> str:
    """Return in one sentence what happens now or what is asked of whom."""
    incident = loaded.incident
    if incident.taken_over_by and incident.status not in ENDED:
        return f"{incident.taken_over_by} has it; the agent's hands are off."
    if incident.waits_for:
        return incident.waits_for
    if incident.status in ENDED:
        if incident.status == Status.RECOVERED:
            return AFTER_UNDO if _recovered_by_undo(loaded) else _what_helped(incident)
        by_itself = " without a person" if incident.auto_resolved else ""
        return f"{ENDED_WORDS[Status(incident.status)]}{by_itself}."
    return f"{DOES_NOW.get(Step(incident.step), 'The agent is at work')}."


def _what_helped(incident: Incident) -> str:
    entry = incident.timeline.filter(kind="recovered").last()
    return entry.text if entry else "Healthy again without us."


def _hit(loaded: Loaded) -> str:
    """Return how much fails, while it does and as far as it was measured."""
    measured = loaded.diagnosis.impact if loaded.diagnosis else {}
    if loaded.incident.status in ENDED or not measured.get("probes"):
        return ""
    return f"{measured.get('failed_probes', 0)} of {measured['probes']} checks failed"


def _offer(loaded: Loaded) -> dict[str, Any] | None:
    """Return what the agent wants to do and why that may be trusted, while a person is asked about it."""
    fix = loaded.offered
    if fix is None or _asked_tone(loaded) != "ask":
        return None
    deeds = [action_words({**action, "path": _end_of(action)}) for action in fix.actions[:2]]
    more = f" and {len(fix.actions) - 2} more" if len(fix.actions) > 2 else ""
    return {
        "what": f"{'; '.join(deeds)}{more}.",
        "why": f"{', '.join(_trusted(loaded))}.",
        "doubt": _doubtful(loaded),
    }


def _end_of(action: Mapping[str, Any]) -> str:
    """Return the end of a path, which tells files apart; the whole one stands with the fix."""
    path = str(action.get("path", ""))
    return path if len(path) <= PATH_SHOWN else f"…{path[-PATH_SHOWN:]}"


def _doubtful(loaded: Loaded) -> bool:
    passed = loaded.trial is not None and loaded.trial.passed is True
    return not passed or any(row.passed is False for row in loaded.reviews)


def _trusted(loaded: Loaded) -> list[str]:
    trial, verdicts = loaded.trial, [row.passed for row in loaded.reviews]
    proof = {True: "Proof passed", False: "Proof failed", None: "No proof"}
    safe = "objects" if False in verdicts else "passed" if True in verdicts else "not judged"
    score = f", confidence {loaded.decision.score:.2f}" if loaded.decision else ""
    return [proof[trial.passed if trial else None], f"safety {safe}{score}"]


def _question(loaded: Loaded) -> str:
    kinds = {action.get("kind") for action in loaded.fix.actions} if loaded.fix else set()
    return "Restart the service?" if kinds == {"restart"} else "Deploy this fix?"


def _asked_tone(loaded: Loaded) -> str:
    status = loaded.incident.status
    if status in WORKING:
        return "info"
    if status in ENDED:
        good = status in {Status.RESOLVED, Status.RECOVERED} and not _recovered_by_undo(loaded)
        return "ok" if good else "warn"
    return "ask"


def _recovered_by_undo(loaded: Loaded) -> bool:
    """Say whether the last that we did to a service that recovered was to take our own fix back."""
    last = loaded.deployments[-1] if loaded.deployments else None
    undone = last is not None and last.state == Deployment.State.UNDONE
    return undone and loaded.incident.status == Status.RECOVERED


def cause(loaded: Loaded) -> dict[str, Any]:
    """Return the root cause in one sentence, then in plain English, with the measured impact."""
    diagnosis, incident = loaded.diagnosis, loaded.incident
    measured = _impact(loaded)
    if diagnosis is None:
        return {"diagnosis": None, "impact": measured}
    place = diagnosis.file and f"{diagnosis.file}, line {diagnosis.line}"
    return {
        "diagnosis": diagnosis,
        "place": place if diagnosis.line else diagnosis.file,
        "place_url": line_url(incident.service, diagnosis.file, diagnosis.line),
        "author": diagnosis.author,
        "certainty": f"{diagnosis.certainty:.0%}",
        "impact": measured,
    }


def _impact(loaded: Loaded) -> list[tuple[str, str]]:
    """Return measured numbers only, in words."""
    incident = loaded.incident
    raw: Mapping[str, Any] = loaded.diagnosis.impact if loaded.diagnosis else {}
    probes, failed = raw.get("probes"), raw.get("failed_probes")
    failure = incident.failure or {}
    facts = [
        ("Failing", f"{failure.get('method', '')} {failure.get('path', '')}".strip()),
        ("Seen as", str(failure.get("error_type") or failure.get("symptom", "")).replace("_", " ")),
        ("Checks that failed", f"{failed} of {probes} in ten minutes" if probes else ""),
        ("Seen again", _times(incident.joined)),
        ("Reopened", _times(incident.reopened)),
        ("Category", incident.category.replace("_", " ")),
    ]
    known = {"since", "probes", "failed_probes"}
    facts += [
        (k.replace("_", " ").capitalize(), _said(v)) for k, v in raw.items() if k not in known
    ]
    return [(name, value) for name, value in facts if value]


def _times(count: int) -> str:
    return "" if not count else "once" if count == 1 else f"{count} times"


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
