"""Step 6: prove the candidates. Each is started in isolation and has to answer; the best proved one is put up.

Copies run side by side: with the fix, without it (is the failure reproduced?), and last known good twice (what is
right, and what differs at every call anyway?). Nothing here touches the live service but to copy its data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from django.db import transaction
from django.utils import timezone

from incidents.engine import receipts
from incidents.models import Fix, Incident, Trial
from incidents.pipeline.fixes import written_bytes
from incidents.pipeline.packs import pack_of
from incidents.pipeline.proving import Copy, Script, Version, run_copy, script_of
from incidents.pipeline.tools import Tools
from incidents.ports import SandboxError
from incidents.states import Status, Step
from incidents.timeline import note
from incidents.values import EvidencePack, digest_of
from monitoring.values import Tree

COPIES_AT_ONCE = 4
Start = Callable[[str, Tree, Mapping[str, str]], "Future[Copy]"]


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """What all trials of one attempt share: the requests, and the runs without fix and of last known good."""

    pack: EvidencePack
    script: Script
    start: Start
    without: Future[Copy]
    references: tuple[Future[Copy], ...]


def trial(incident: Incident, tools: Tools) -> None:
    """Write a Trial (the receipt) for each tried candidate, choose one, and go on to the review."""
    started = timezone.now()
    if incident.status != Status.TESTING:
        with transaction.atomic():
            incident.move(status=Status.TESTING, step=Step.TRIAL)
            note(incident, "testing", "Trying the fix in an isolated copy.")
    candidates = list(
        incident.fixes.filter(attempt=incident.attempt, state=Fix.State.CANDIDATE).order_by("rank")
    )
    with _laboratory(incident, tools) as laboratory:
        trials = _try_in_turn(laboratory, candidates)
    with transaction.atomic():
        for row in trials:
            Trial.objects.filter(fix=row.fix).delete()
            row.save()
        best = _choose(candidates, trials)
        incident.move(status=Status.REVIEWING, step=Step.REVIEW)
        note(incident, "tried", _words(best), started=started, data={"fix": best.fix.digest})


@contextmanager
def _laboratory(incident: Incident, tools: Tools) -> Iterator[Laboratory]:
    """Start the shared copies, and end every thread when the trials are over."""
    pack = pack_of(incident)
    script = script_of(incident, pack)
    with ThreadPoolExecutor(max_workers=COPIES_AT_ONCE) as pool:

        def start(name: str, tree: Tree, environment: Mapping[str, str]) -> Future[Copy]:
            version = Version(name=name, tree=tree, environment=environment)
            return pool.submit(run_copy, incident, tools, version, script.requests)

        references: tuple[Future[Copy], ...] = ()
        if pack.last_good is not None:
            environment = pack.last_good_environment or pack.environment
            references = tuple(start(f"good-{n}", pack.last_good, environment) for n in (1, 2))
        without = start("without", pack.current, pack.environment)
        yield Laboratory(
            pack=pack, script=script, start=start, without=without, references=references
        )


def _try_in_turn(laboratory: Laboratory, candidates: list[Fix]) -> list[Trial]:
    """Try by rank until one has passed that no untried candidate could beat by being smaller."""
    trials: list[Trial] = []
    for fix in candidates:
        best = min((t.fix.lines_changed for t in trials if t.passed), default=None)
        if best is None or fix.lines_changed < best:
            trials.append(_try_one(laboratory, fix))
    return trials


def _try_one(laboratory: Laboratory, fix: Fix) -> Trial:
    """Run one candidate and return its unsaved receipt; an impossible trial is a receipt too, with `passed` None."""
    begun = monotonic()
    try:
        tree = _tree_with(laboratory.pack, fix)
        environment = fix.environment or laboratory.pack.environment
        copy = laboratory.start(f"fix-{fix.rank}", tree, environment).result()
        receipt = receipts.judge(
            script=laboratory.script,
            fixed=copy,
            without=laboratory.without.result(),
            references=[future.result() for future in laboratory.references],
        )
    except SandboxError as error:
        receipt = receipts.impossible(f"A trial is not possible: {error}")
    body = {"fix": fix.digest, "base": fix.base_digest, **receipt.as_json()}
    return Trial(
        fix=fix,
        passed=receipt.passed,
        applied=receipt.applied,
        reproduced=receipt.reproduced,
        reason=receipt.reason,
        receipt=body,
        digest=digest_of(body),
        isolation=receipt.isolation,
        duration_ms=int((monotonic() - begun) * 1000),
    )


def _tree_with(pack: EvidencePack, fix: Fix) -> Tree:
    merged = {**pack.current, **written_bytes(fix)}
    return {path: data for path, data in merged.items() if data is not None}


def _choose(candidates: list[Fix], trials: list[Trial]) -> Trial:
    """Put up the smallest fix with a passed trial, else the first that was tried; say why the others lost."""
    passed = [row for row in trials if row.passed]
    best = min(passed, key=lambda t: (t.fix.lines_changed, t.fix.rank)) if passed else trials[0]
    reasons = {row.fix_id: _why_lost(row, best) for row in trials}
    for fix in candidates:
        won = fix.pk == best.fix_id
        fix.state = Fix.State.CHOSEN if won else Fix.State.LOST
        not_tried = "not tried: a smaller fix had passed already"
        fix.why = _why_won(best) if won else reasons.get(fix.pk, not_tried)
        fix.save(update_fields=["state", "why"])
    return best


def _why_won(best: Trial) -> str:
    return "the smallest change that passed its trial" if best.passed else "no candidate passed"


def _why_lost(row: Trial, best: Trial) -> str:
    if not row.passed:
        return f"its trial did not pass: {row.reason}"
    return (
        f"a smaller change passed too ({best.fix.lines_changed} lines, not {row.fix.lines_changed})"
    )


def _words(best: Trial) -> str:
    if best.passed is None:
        return best.reason
    seen = {
        True: "the failure was reproduced without the fix",
        False: "the failure could not be reproduced without the fix",
        None: "the copy without the fix could not be judged",
    }[best.reproduced]
    outcome = "The fix passed its trial" if best.passed else f"The trial failed: {best.reason}"
    return f"{outcome}; {seen} ({best.isolation})."
