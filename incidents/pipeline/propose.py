"""Step 5: write candidate fixes as typed actions. Every writer is asked, and their candidates compete in the trial."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from incidents.engine.patches import PatchError
from incidents.models import Fix, Incident
from incidents.pipeline.fixes import base_digest, build_fix
from incidents.pipeline.packs import diagnosis_of, pack_of
from incidents.pipeline.tools import Tools
from incidents.ports import FixError
from incidents.states import Status, Step
from incidents.timeline import note
from incidents.values import EvidencePack, FixDraft, actions_to_json, digest_of

MAX_CANDIDATES = 8


def propose(incident: Incident, tools: Tools) -> None:
    """Write the candidate Fix rows of this attempt; with none and nothing changed, the decision is to escalate."""
    started = timezone.now()
    pack = pack_of(incident)
    drafts, problems = _drafts(incident, pack, tools)
    with transaction.atomic():
        for problem in problems:
            note(incident, "fallback", f"Went on without it: {problem}")
        for rank, draft in enumerate(drafts[:MAX_CANDIDATES]):
            _keep(incident, pack, draft, rank)
        candidates = list(
            incident.fixes.filter(attempt=incident.attempt, state=Fix.State.CANDIDATE)
        )
        if candidates:
            incident.move(status=Status.FIX_PROPOSED, step=Step.TRIAL)
            note(incident, "proposed", _summary(candidates), started=started)
        elif pack.last_good not in (None, pack.current):  # experiments may tell which change it is
            incident.move(status=Status.INVESTIGATING, step=Step.TRIAL)
            note(incident, "no_candidate", "No fix suggests itself; experiments follow.")
        else:
            incident.move(status=Status.INVESTIGATING, step=Step.DECIDE)
            note(incident, "no_fix", "No honest fix is known for this.", started=started)


def _drafts(
    incident: Incident, pack: EvidencePack, tools: Tools
) -> tuple[list[FixDraft], list[str]]:
    diagnosis = diagnosis_of(incident)
    drafts: list[FixDraft] = []
    problems: list[str] = []
    for writer in tools.fix_writers:
        try:
            drafts += writer.propose(pack, diagnosis, pack.wishes)
        except FixError as error:
            problems.append(f"{writer.name}: {error}")
    return drafts, problems


def _keep(incident: Incident, pack: EvidencePack, draft: FixDraft, rank: int) -> None:
    """Store a candidate; one that cannot or may not be applied is stored as refused, with the reason."""
    try:
        fix = build_fix(incident, pack, draft)
    except PatchError as error:
        _keep_refused(incident, pack, draft, why=str(error))
        note(incident, "refused", f"A fix by {draft.author} was refused: {error}")
        return
    known = incident.fixes.filter(attempt=incident.attempt, digest=fix.digest).exists()
    if not known and fix.digest not in pack.wishes.refused_digests:
        fix.rank = rank
        fix.save()


def _keep_refused(incident: Incident, pack: EvidencePack, draft: FixDraft, *, why: str) -> None:
    actions = actions_to_json(draft.actions)
    Fix.objects.get_or_create(
        incident=incident,
        attempt=incident.attempt,
        digest=digest_of(actions),
        defaults={
            "rank": MAX_CANDIDATES,
            "author": draft.author,
            "actions": actions,
            "explanation": draft.explanation,
            "base_digest": base_digest(pack.current, pack.environment),
            "state": Fix.State.REFUSED,
            "why": why,
        },
    )


def _summary(fixes: list[Fix]) -> str:
    more = f" (and {len(fixes) - 1} more)" if len(fixes) > 1 else ""
    return f"Proposed{more}: {fixes[0].explanation}"
