"""The question that waits for a person: about which fix, whether it still counts, who may not answer it, and on what proof.

Nothing is changed here; approvals.py asks all of it in the transaction in which it makes the decision.
"""

from __future__ import annotations

from django.utils import timezone

from incidents.models import Decision, Deployment, Fix, Incident
from incidents.pipeline.gates import Conflict, chosen_fix, policy_of, safety_of
from teams.models import User


def fix_under_decision(incident: Incident, digest: str) -> Fix:
    """Return the fix that is up for decision; raise `Conflict` when a person looked at another one."""
    fix = chosen_fix(incident)
    if fix is None or fix.digest != digest:
        raise Conflict("This is not the fix that is up for decision; reload and look again.")
    return fix


def check_person(incident: Incident, fix: Fix, person: User) -> None:
    """Refuse whoever would let their own proposal go live, or (outside demos) the cure of a fault that they injected."""
    if fix.proposer_id == person.pk:
        raise Conflict("Nobody approves their own proposal; ask a colleague.")
    cause = incident.caused_by
    if cause and cause.actor_id == person.pk and not incident.service.is_demo:
        raise Conflict("You injected this fault; a person who did not cause it has to approve.")


def open_question(incident: Incident, fix: Fix) -> Decision:
    """Return the ruling that asked about this fix, still valid and made on the policy of now."""
    asked = asked_about(incident, fix)
    if asked is None:
        raise Conflict("Nobody was asked about this fix.")
    if Deployment.objects.filter(fix=fix).exists():
        raise Conflict("This fix went live already; request changes, or take the incident over.")
    if why := out_of_date(incident, asked):
        raise Conflict(f"{why}; request changes to have the fix judged again.")
    return asked


def asked_about(incident: Incident, fix: Fix) -> Decision | None:
    """Return the ruling that asked people about this fix, unless a drift voided it."""
    kinds = [Decision.Kind.ASK, Decision.Kind.ESCALATE]
    return incident.decisions.filter(fix=fix, kind__in=kinds, voided_at=None).last()


def out_of_date(incident: Incident, asked: Decision) -> str:
    """Return why a question does not count any more although nobody answered it, or an empty text."""
    if asked.expires_at and asked.expires_at < timezone.now():
        return "The question has expired"
    if asked.policy_digest != policy_of(incident.service).digest:
        return "The service's policy changed since the fix was judged"
    return ""


def check_proof(fix: Fix) -> None:
    """Refuse a fix without a passed trial and a passed review; only an override goes past this (law 1)."""
    if fix.trial.passed is not True:
        raise Conflict(
            f"The fix did not pass its trial ({fix.trial.reason}); only a team lead may override that."
        )
    if not safety_of(fix)[0]:
        raise Conflict("The safety review did not pass; only a team lead may override that.")
