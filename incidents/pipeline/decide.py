"""Step 8: the rules' decision - the agent alone, a person, or nobody. People's decisions enter in approvals.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from incidents import policy
from incidents.alerts import escalate
from incidents.confidence import Facts, Score, score
from incidents.models import Decision, Deployment, Fix, Incident
from incidents.pipeline.debts import owed
from incidents.pipeline.gates import (
    approvers,
    asked_of,
    chosen_fix,
    forbids_change,
    needed_role,
    policy_of,
    safety_of,
)
from incidents.pipeline.lessons import similar_to
from incidents.pipeline.packs import diagnosis_of
from incidents.pipeline.tools import Tools
from incidents.states import WAITING, Status, Step
from incidents.timeline import note
from incidents.values import Category, Severity


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A fix with everything that the rules looked at."""

    fix: Fix | None
    score: Score
    ruling: policy.Ruling
    policy: policy.Policy


def decide(incident: Incident, tools: Tools) -> None:
    """Write the rules' Decision: deploy alone, ask the person whose role may, or escalate to an expert."""
    started = timezone.now()
    with transaction.atomic():
        judged = _judge(incident, tools.now())
        decision = _record(incident, judged, tools.now())
        text = _act_on(incident, judged.ruling)
        data = {"score": decision.score, "terms": decision.terms, "reasons": decision.reasons}
        note(incident, "decided", text, started=started, data=data)
        if incident.status in WAITING:
            escalate.begin(incident, now=tools.now())


def _act_on(incident: Incident, ruling: policy.Ruling) -> str:
    """Move the incident as the ruling says and return it in words."""
    because = "; ".join(ruling.reasons)
    if ruling.kind == Decision.Kind.AUTO:
        incident.move(status=Status.DEPLOYING, step=Step.DEPLOY, waits_for="")
        return f"Deploying without a person: {because}."
    if ruling.kind == Decision.Kind.ASK:
        asked = asked_of(approvers(incident))
        incident.move(status=Status.AWAITING_APPROVAL, step=Step.WAIT, waits_for=asked)
        return f"{asked} Because: {because}."
    asked = f"Escalated to an expert: {because}."
    incident.move(status=Status.ESCALATED, step=Step.WAIT, waits_for=asked[:200])
    return asked


def _judge(incident: Incident, now: datetime) -> Judged:
    fix = chosen_fix(incident)
    total = score(_facts(incident, fix), similar_to(incident, fix, now=now))
    rules = policy_of(incident.service)
    ruling = policy.decide(rules, _case(incident, fix, total, now))
    return Judged(fix=fix, score=total, ruling=ruling, policy=rules)


def _facts(incident: Incident, fix: Fix | None) -> Facts:
    diagnosis = diagnosis_of(incident)
    given = [row.score for row in fix.reviews.all() if row.passed is not None] if fix else []
    return Facts(
        category=Category(diagnosis.category),
        file=diagnosis.file,
        line=diagnosis.line,
        trial_passed=bool(fix and fix.trial.passed),
        fix_applied=bool(fix and fix.trial.applied),
        safety_passed=safety_of(fix)[0],
        safety_score=min(given, default=0.0),
        model_answered=bool(diagnosis.spent.get("model_answered")),
        severity=Severity(incident.severity),
    )


def _case(incident: Incident, fix: Fix | None, total: Score, now: datetime) -> policy.Case:
    safe, why = safety_of(fix)
    trial = fix.trial if fix else None
    recent = Deployment.objects.filter(
        automatic=True,
        started_at__gte=now - timedelta(hours=1),
        incident__service_id=incident.service_id,
    )
    weak = bool(fix and trial and fix.author != "built-in" and "rlimits only" in trial.isolation)
    return policy.Case(
        score=total.value,
        severity=Severity(incident.severity),
        has_fix=fix is not None,
        trial_passed=trial.passed if trial else None,
        trial_reason=trial.reason if trial else "no trial was made",
        safety_passed=safe,
        safety_reason=why,
        weak_isolation=weak,
        forbidden=forbids_change(incident),
        used_for_fingerprint=recent.filter(incident__fingerprint=incident.fingerprint).count(),
        used_for_service=recent.count(),
        owed=owed(incident, fix),
        weak_proof="; ".join(trial.receipt.get("lowers", [])) if trial else "",
    )


def _record(incident: Incident, judged: Judged, now: datetime) -> Decision:
    fix = judged.fix
    return Decision.objects.create(
        incident=incident,
        attempt=incident.attempt,
        fix=fix,
        kind=judged.ruling.kind,
        severity=incident.severity,
        score=judged.score.value,
        terms=judged.score.as_json(),
        reasons=list(judged.ruling.reasons),
        needed_role=needed_role(approvers(incident)),
        fix_digest=fix.digest if fix else "",
        base_digest=fix.base_digest if fix else "",
        trial_digest=fix.trial.digest if fix else "",
        policy_digest=judged.policy.digest,
        expires_at=now + timedelta(seconds=settings.APPROVAL_EXPIRY_SECONDS),
    )
