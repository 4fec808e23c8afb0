"""Turns an Evidence row back into the plain pack that diagnosticians, fix writers and trials are given."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from incidents.models import Decision, Diagnosis, Evidence, Incident
from incidents.values import (
    Category,
    DiagnosisDraft,
    EvidenceItem,
    EvidencePack,
    Exchange,
    Failure,
    Wishes,
)
from monitoring.declared import check_files
from monitoring.models import Blob
from monitoring.values import Answer, HttpRequest, ProcessState


def evidence_of(incident: Incident) -> Evidence:
    """Return the evidence row of the present attempt."""
    return Evidence.objects.get(incident=incident, attempt=incident.attempt)


def pack_of(incident: Incident) -> EvidencePack:
    """Return the evidence of the present attempt with the exact bytes of both trees."""
    row = evidence_of(incident)
    service = incident.service
    return EvidencePack(
        service=service.name,
        directory=service.directory,
        is_python=any("python" in word for word in service.command[:1]),
        failure=failure_from(incident.failure),
        items=tuple(EvidenceItem(**item) for item in row.items),
        process=ProcessState(**row.pack["process"]),
        log_tail=row.pack["log_tail"],
        stacks=row.pack["stacks"],
        current=Blob.read(row.current),
        last_good=None if row.last_good is None else Blob.read(row.last_good),
        environment=row.environment,
        last_good_environment=row.last_good_environment,
        editable_globs=tuple(service.editable_globs),
        protected=check_files(service),
        failing=tuple(exchange_from(raw) for raw in row.failing),
        good=tuple(exchange_from(raw) for raw in row.good),
        similar=tuple(row.pack["similar"]),
        measured=row.pack["measured"],
        incident_id=incident.pk,
        attempt=incident.attempt,
        wishes=_wishes(incident),
    )


def _wishes(incident: Incident) -> Wishes:
    """Return what people refused and asked for in this incident so far."""
    said = incident.decisions.filter(kind__in=[Decision.Kind.REJECT, Decision.Kind.REQUEST_CHANGES])
    return Wishes(
        refused_digests=frozenset(row.fix_digest for row in said if row.fix_digest),
        requests=tuple(row.reason for row in said if row.reason),
    )


def failure_from(raw: Mapping[str, Any]) -> Failure:
    """Return the failing observation that is kept on an incident."""
    names = Failure.__dataclass_fields__
    return Failure(**{key: value for key, value in raw.items() if key in names})


def exchange_from(raw: Mapping[str, Any]) -> Exchange:
    """Return a recorded exchange from the flight recorder's plain form (bodies in base64)."""
    expected = raw.get("expected")
    return Exchange(
        request=HttpRequest(**_decoded(raw["request"])),
        expected=None if expected is None else Answer(**_decoded(expected)),
        good=raw.get("good", True),
        source=raw.get("source", ""),
        order=raw.get("order"),
    )


def _decoded(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {**raw, "body": base64.b64decode(raw.get("body", ""))}


def diagnosis_of(incident: Incident) -> DiagnosisDraft:
    """Return the diagnosis of the present attempt as a plain value."""
    row = Diagnosis.objects.get(incident=incident, attempt=incident.attempt)
    return DiagnosisDraft(
        category=Category(row.category),
        root_cause=row.root_cause,
        file=row.file,
        line=row.line,
        plain=row.plain,
        analogy=row.analogy,
        certainty=row.certainty,
        cited=tuple(row.cited),
        ruled_out=tuple(row.ruled_out),
        author=row.author,
        spent=row.spent,
    )
