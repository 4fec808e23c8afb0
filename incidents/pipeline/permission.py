"""What a deployment is permitted by - the rules, or a person - and everything that may speak against it by now.

Asked in the transaction that writes the Deployment row (deploy.py), whoever decided and however long ago.
"""

from __future__ import annotations

from django.utils import timezone

from incidents.models import Decision, Incident
from incidents.pipeline.debts import frozen
from incidents.pipeline.fixes import base_digest
from incidents.pipeline.gates import forbids_change, policy_of, safety_of
from incidents.pipeline.guards import is_healthy_again
from monitoring.models import Service
from monitoring.values import Tree
from teams import access
from teams.roles import Verb

HEALTHY_AGAIN = "the service is healthy again without us"
VERB_OF = {Decision.Kind.APPROVE: Verb.APPROVE, Decision.Kind.OVERRIDE: Verb.OVERRIDE}


def permission_of(incident: Incident) -> Decision | None:
    """Return the last decision of this attempt when it permits a deployment and no drift voided it."""
    last = incident.decisions.filter(attempt=incident.attempt, voided_at=None).last()
    return last if last is not None and last.permits_deploy else None


def against(incident: Incident, decision: Decision | None, tree: Tree) -> str:
    """Return what speaks against deploying on this decision now, or an empty text (laws 1, 2, 7)."""
    if decision is None or decision.fix is None:
        return "there is no permission to deploy"
    fix, service = decision.fix, Service.objects.get(pk=incident.service_id)
    overridden = decision.kind == Decision.Kind.OVERRIDE
    checks = [
        (decision.fix_digest != fix.digest, "the fix is not the one that was decided"),
        (decision.trial_digest != fix.trial.digest, "the trial is not the one that was decided on"),
        (not overridden and fix.trial.passed is not True, "the trial did not pass"),
        (not overridden and not safety_of(fix)[0], "the safety review did not pass"),
        (
            decision.base_digest != base_digest(tree, service.environment),
            "the service's files or environment changed since the fix was tried",
        ),
        (
            decision.policy_digest != policy_of(service).digest,
            "the service's policy changed since the decision",
        ),
        (
            decision.expires_at is not None and decision.expires_at < timezone.now(),
            "the permission has expired",
        ),
        (is_healthy_again(incident), HEALTHY_AGAIN),
    ]
    broken = [reason for applies, reason in checks if applies]
    ice = "" if overridden else frozen(incident, fix)
    return (broken[:1] or [_role_lost(incident, decision) or forbids_change(incident) or ice])[0]


def _role_lost(incident: Incident, decision: Decision) -> str:
    """Return why the person who decided may not (any more), or an empty text; the rules' own `auto` has no person."""
    if decision.kind == Decision.Kind.AUTO:
        return ""
    if decision.actor is None:
        return "the decision names no person"
    verb = VERB_OF[Decision.Kind(decision.kind)]
    slug = incident.service.slug
    return access.may(decision.actor, verb, severity=incident.severity, service=slug).reason
