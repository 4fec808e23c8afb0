"""Step 7: is the chosen fix safe? Every reviewer is asked; one has to pass, and none may object (`gates.safety_of`)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from incidents.models import Fix, Incident, SafetyReview
from incidents.pipeline.fixes import change_of
from incidents.pipeline.packs import pack_of
from incidents.pipeline.tools import Tools
from incidents.ports import ReviewError, SafetyReviewer
from incidents.states import Status, Step
from incidents.timeline import note
from incidents.values import ProposedChange, SafetyVerdict


def review(incident: Incident, tools: Tools) -> None:
    """Write one SafetyReview a reviewer for the chosen fix, and go on to the decision."""
    started = timezone.now()
    fix = incident.fixes.get(attempt=incident.attempt, state=Fix.State.CHOSEN)
    change = change_of(incident, pack_of(incident), fix)
    verdicts = [_verdict(reviewer, change) for reviewer in tools.reviewers]
    with transaction.atomic():
        for verdict in verdicts:
            _keep(incident, fix, verdict, started)
        incident.move(status=Status.REVIEWING, step=Step.DECIDE)


def _verdict(reviewer: SafetyReviewer, change: ProposedChange) -> SafetyVerdict:
    try:
        return reviewer.review(change)
    except ReviewError as error:
        return SafetyVerdict(passed=None, score=0.0, reviewer=reviewer.name, note=str(error))


def _keep(incident: Incident, fix: Fix, verdict: SafetyVerdict, started: datetime) -> None:
    SafetyReview.objects.update_or_create(
        fix=fix,
        reviewer=verdict.reviewer,
        defaults={
            "passed": verdict.passed,
            "score": verdict.score,
            "findings": [asdict(finding) for finding in verdict.findings],
            "policies": dict(verdict.policies),
            "session": verdict.session,
            "note": verdict.note,
        },
    )
    words = {True: "passed", False: "NOT passed", None: "no verdict"}[verdict.passed]
    detail = verdict.note or "; ".join(finding.detail for finding in verdict.findings[:3])
    text = f"Safety review ({verdict.reviewer}): {words}" + (f": {detail}" if detail else "")
    note(incident, "reviewed", text, actor=verdict.reviewer, started=started)
