"""The rows that the account of an incident is made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incidents.models import Decision, Deployment, Diagnosis, Evidence, Fix, Incident


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows that an account is made of; parts that the incident never had are None."""

    incident: Incident
    diagnosis: Diagnosis | None
    deployment: Deployment | None
    decision: Decision | None
    fix: Fix | None
    evidence: Evidence | None
    before: int

    @property
    def verified_at(self) -> datetime | None:
        """Return when the service was seen healthy again after our change."""
        return self.deployment.healthy_at if self.deployment else None

    @property
    def over_at(self) -> datetime | None:
        """Return when the trouble was over."""
        return self.verified_at or self.incident.ended_at


def rows_of(incident: Incident) -> Rows:
    """Return the rows of the present attempt."""
    at = {"incident": incident, "attempt": incident.attempt}
    related = "fix__trial", "fix__proposer", "decision__actor"
    deployment = incident.deployments.select_related(*related).last()
    fix = deployment.fix if deployment else None
    earlier = Incident.objects.filter(fingerprint=incident.fingerprint, pk__lt=incident.pk)
    return Rows(
        incident=incident,
        diagnosis=Diagnosis.objects.filter(**at).first(),
        deployment=deployment,
        decision=deployment.decision if deployment else None,
        fix=fix,
        evidence=Evidence.objects.filter(**at).first(),
        before=earlier.filter(service=incident.service).count(),
    )
