"""The gates in front of every change: what forbids it now, what a person may still decide, what proof is there."""

from __future__ import annotations

from django.conf import settings

from incidents import policy
from incidents.models import AgentState, Fix, Incident
from incidents.states import Conflict as Conflict
from monitoring.models import Service
from teams import access
from teams.models import User
from teams.roles import ROLE_WORDS, Verb


def policy_of(service: Service) -> policy.Policy:
    """Return the rules that a service's row sets."""
    return policy.Policy(
        mode=service.autonomy,
        ceiling=service.auto_ceiling,
        auto_threshold=service.auto_threshold,
        escalation_threshold=service.escalation_threshold,
        limit_per_fingerprint=service.limit_per_fingerprint,
        limit_per_service=service.limit_per_service,
        editable_globs=tuple(service.editable_globs),
    )


def forbids_change(incident: Incident) -> str:
    """Return why nothing may be changed in this service now (law 7), or an empty text. Always read afresh."""
    service = Service.objects.get(pk=incident.service_id)
    taken = Incident.objects.select_related("taken_over_by").get(pk=incident.pk).taken_over_by
    if taken:
        return f"{taken} has taken this incident over"
    if service.paused:
        return "the agent is paused for this service"
    if service.autonomy == Service.Autonomy.OBSERVE:
        return "the service is only observed"
    if service.in_maintenance:
        return "the service is in maintenance"
    return AgentState.now().refusal


def safety_of(fix: Fix | None) -> tuple[bool, str]:
    """Return whether the reviews let the fix pass, and if not, why not.

    A reviewer without a verdict counts for nothing, unless White Circle is required: then it stops an auto-deploy.
    """
    reviews = list(fix.reviews.all()) if fix else []
    for row in reviews:
        if row.passed is False:
            return False, f"{row.reviewer} objects"
    required = settings.WHITECIRCLE_REQUIRED
    if required and not any(row.passed for row in reviews if row.reviewer == "White Circle"):
        return False, "White Circle is required and gave no verdict"
    passed = any(row.passed for row in reviews)
    return passed, "" if passed else "no review passed"


def chosen_fix(incident: Incident) -> Fix | None:
    """Return the candidate of this attempt that is up for decision."""
    return (
        incident.fixes.filter(attempt=incident.attempt, state=Fix.State.CHOSEN)
        .select_related("trial")
        .first()
    )


def locked(incident_id: int) -> Incident:
    """Return the incident, locked for the rest of the transaction."""
    return (
        Incident.objects.select_for_update(of=("self",))
        .select_related("service")
        .get(pk=incident_id)
    )


def able_to_approve(severity: str, service: str) -> list[User]:
    """Return the people whose role may approve a fix of this severity in a service (its slug), the nearest role first."""
    return access.people_who_may(Verb.APPROVE, severity=severity, service=service)


def approvers(incident: Incident, able: list[User] | None = None) -> list[User]:
    """Return those of the able ones who may approve this incident's fix: whoever is partial may not."""
    if able is None:
        able = able_to_approve(incident.severity, incident.service.slug)
    partial = incident.partial_people()
    return [person for person in able if person.pk not in partial]


def needed_role(people: list[User]) -> str:
    """Return the role of the nearest of the approvers, or an empty text when there is none."""
    return next((person.role for person in people), "")


def asked_of(people: list[User]) -> str:
    """Return in words which of the approvers the question goes to."""
    if not people:
        return (
            "Nobody else who is active may approve this: a manager has to add somebody whose role may, "
            "such as a team lead, or change the approval matrix."
        )
    nearest = [person.name for person in people if person.role == people[0].role]
    return f"{' or '.join(nearest[:3])} ({ROLE_WORDS[people[0].role]}) is asked to approve."  # type: ignore[index]
