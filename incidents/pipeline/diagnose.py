"""Step 4: find the cause. Each diagnostician is asked in turn; the built-in one always answers."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from django.db import transaction
from django.utils import timezone

from incidents import policy
from incidents.models import Diagnosis, Incident
from incidents.pipeline.packs import pack_of
from incidents.pipeline.tools import Tools
from incidents.pipeline.workbench import workbench_of
from incidents.ports import DiagnosisError
from incidents.states import Status, Step
from incidents.timeline import note
from incidents.values import DiagnosisDraft, EvidencePack, Severity


def diagnose(incident: Incident, tools: Tools) -> None:
    """Write the Diagnosis of this attempt and the severity that follows from it, and go on to the proposal."""
    started = timezone.now()
    pack = pack_of(incident)
    pack = replace(pack, workbench=workbench_of(incident, tools, pack))
    draft, fallbacks = _first_answer(pack, tools)
    severity = _severity(incident, pack, draft, tools)
    with transaction.atomic():
        Diagnosis.objects.create(
            incident=incident,
            attempt=incident.attempt,
            author=draft.author,
            category=draft.category,
            root_cause=draft.root_cause,
            file=draft.file,
            line=draft.line,
            plain=draft.plain,
            analogy=draft.analogy,
            certainty=draft.certainty,
            cited=_known_only(draft.cited, pack),
            ruled_out=list(draft.ruled_out),
            impact=dict(pack.measured),
            spent=dict(draft.spent),
            fallback_reason="; ".join(fallbacks),
        )
        incident.move(
            status=Status.INVESTIGATING,
            step=Step.PROPOSE,
            category=draft.category,
            severity=severity,
        )
        for reason in fallbacks:
            note(incident, "fallback", f"Went on without it: {reason}")
        note(
            incident,
            "diagnosed",
            f"Root cause ({draft.author}): {draft.root_cause}",
            actor=draft.author,
            started=started,
        )


def _first_answer(pack: EvidencePack, tools: Tools) -> tuple[DiagnosisDraft, list[str]]:
    reasons: list[str] = []
    for diagnostician in tools.diagnosticians:
        try:
            return diagnostician.diagnose(pack), reasons
        except DiagnosisError as error:
            reasons.append(f"{diagnostician.name}: {error}")
    raise DiagnosisError("; ".join(reasons) or "no diagnostician is set up", permanent=True)


def _severity(
    incident: Incident, pack: EvidencePack, draft: DiagnosisDraft, tools: Tools
) -> Severity:
    """Return the severity by what was measured; a model's category may raise it, but never lower it.

    Otherwise a log line could talk a model into calling a corrupted database a typing error, which heals alone.
    """
    symptom, rules = incident.failure["symptom"], tools.diagnosticians[-1]
    categories = {draft.category}
    if draft.author != rules.name:
        with suppress(DiagnosisError):
            categories.add(rules.diagnose(pack).category)
    return max(
        (policy.severity_of(symptom, category) for category in categories), key=lambda s: s.rank
    )


def _known_only(cited: tuple[str, ...], pack: EvidencePack) -> list[str]:
    """Return the cited ids that exist: a model cannot cite evidence that nobody collected."""
    known = {item.id for item in pack.items}
    return [name for name in cited if name in known]
