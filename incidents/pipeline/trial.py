"""Step 6: prove the candidates. Each is started in isolation and has to answer; the best proved one is put up.

Copies run side by side: with the fix, without it (is the failure reproduced?), and last known good (what is right?).
Then experiments find the fewest changes that must go back. Nothing here touches the live service but to copy its data.
"""

from __future__ import annotations

from time import monotonic
from typing import Any

from django.db import transaction
from django.utils import timezone

from incidents.engine.minimal import Finding
from incidents.engine.patches import PatchError
from incidents.models import Fix, Incident, Trial
from incidents.pipeline.experiments import Tried, find_minimal
from incidents.pipeline.fixes import build_fix
from incidents.pipeline.laboratory import Laboratory, laboratory, try_fix
from incidents.pipeline.tools import Tools
from incidents.states import Status, Step
from incidents.timeline import note
from incidents.values import digest_of


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
    with laboratory(incident, tools) as room:
        bench = _Bench(room, incident, candidates)
        bench.try_in_turn()
        if _is_first_trial(incident):  # what a person put up is tried alone
            bench.search()
    with transaction.atomic():
        best = bench.keep()
        words = bench.words(best)
        if best is None:
            incident.move(status=Status.TESTING, step=Step.DECIDE)
            note(incident, "no_fix", words, started=started)
            return
        incident.move(status=Status.REVIEWING, step=Step.REVIEW)
        note(incident, "tried", words, started=started, data={"fix": best.fix.digest})


def _is_first_trial(incident: Incident) -> bool:
    return not Trial.objects.filter(fix__incident=incident, fix__attempt=incident.attempt).exists()


class _Bench:
    """The trials of one attempt, until they are written."""

    def __init__(self, room: Laboratory, incident: Incident, candidates: list[Fix]) -> None:
        self.room, self.incident, self.candidates = room, incident, candidates
        self.tried: list[Tried] = []
        self.took: dict[str, int] = {}
        self.finding: Finding | None = None

    def try_in_turn(self) -> None:
        """Try by rank until one has passed that no untried candidate could beat by being smaller."""
        for fix in self.candidates:
            best = min((one.fix.lines_changed for one in self._passed()), default=None)
            if best is None or fix.lines_changed < best:
                self._try(fix)

    def _try(self, fix: Fix) -> None:
        begun = monotonic()
        self.tried.append(Tried(fix, try_fix(self.room, fix)))
        self.took[fix.digest] = int((monotonic() - begun) * 1000)

    def _passed(self) -> list[Tried]:
        return [one for one in self.tried if one.receipt.passed]

    def search(self) -> None:
        """Let the smallest reversal that heals compete, and mark the candidate that is this very reversal."""
        self.finding = find_minimal(self.room, self.tried)
        if self.finding is None or not self.finding.found:
            return
        try:
            fix = build_fix(self.incident, self.room.pack, self.finding.draft())
        except PatchError:
            return
        same = next((one.fix for one in self.tried if _same(one.fix, fix)), None)
        if same is not None:
            same.proved_minimal = self.finding.result.proved
        elif fix.digest not in self.room.pack.wishes.refused_digests:
            fix.rank = max((other.rank for other in self.candidates), default=-1) + 1
            self.candidates.append(fix)
            self._try(fix)

    def keep(self) -> Trial | None:
        """Write every receipt, choose the best fix, and return its trial; None when there is no candidate."""
        if not self.tried:
            return None
        best = min(self.tried, key=_order)
        for fix in self.candidates:
            self._mark(fix, best)
            fix.save()
        Trial.objects.filter(fix__in=[one.fix for one in self.tried]).delete()
        rows = {one.fix.digest: self._row(one, best) for one in self.tried}
        for row in rows.values():
            row.save()
        return rows[best.fix.digest]

    def _mark(self, fix: Fix, best: Tried) -> None:
        """Say of a candidate whether it won, and why or why not."""
        if fix is best.fix:
            fix.state, fix.why = Fix.State.CHOSEN, _why_won(best)
            return
        own = next((one for one in self.tried if one.fix is fix), None)
        fix.state = Fix.State.LOST
        fix.why = "not tried: a smaller fix had passed already" if own is None else _lost(own, best)

    def _row(self, one: Tried, best: Tried) -> Trial:
        receipt, fix = one.receipt, one.fix
        body = {"fix": fix.digest, "base": fix.base_digest, **receipt.as_json()}
        if self.finding is not None and (fix.proved_minimal or one is best):
            body["minimal"] = self._minimal(self.finding, fix)
        return Trial(
            fix=fix,
            passed=receipt.passed,
            applied=receipt.applied,
            reproduced=receipt.reproduced,
            reason=receipt.reason,
            receipt=body,
            digest=digest_of(body),
            isolation=receipt.isolation,
            duration_ms=self.took[fix.digest],
        )

    def _minimal(self, finding: Finding, fix: Fix) -> dict[str, Any]:
        return {**finding.as_json(), "is_this_fix": fix.proved_minimal}

    def words(self, best: Trial | None) -> str:
        """Return for the timeline what was seen."""
        found = "" if self.finding is None else f" {self.finding.words()}"
        if best is None:
            return f"No honest fix is known for this.{found}"
        return f"{_seen(best)}{found}"


def _same(one: Fix, other: Fix) -> bool:
    return (one.writes, one.environment) == (other.writes, other.environment)


def _order(one: Tried) -> tuple[bool, int, int]:
    """Order the passed before the others, and the passed by size; of those that failed the first is put up."""
    passed = one.receipt.passed is True
    return not passed, one.fix.lines_changed if passed else 0, one.fix.rank


def _why_won(best: Tried) -> str:
    if not best.receipt.passed:
        return "no candidate passed"
    proved = ", proved to be the fewest" if best.fix.proved_minimal else ""
    return f"the smallest change that passed its trial{proved}"


def _lost(own: Tried, best: Tried) -> str:
    if not own.receipt.passed:
        return f"its trial did not pass: {own.receipt.reason}"
    fewer, more = best.fix.lines_changed, own.fix.lines_changed
    return f"a smaller change passed too ({fewer} lines, not {more})"


def _seen(best: Trial) -> str:
    if best.passed is None:
        return best.reason
    seen = {
        True: "the failure was reproduced without the fix",
        False: "the failure could not be reproduced without the fix",
        None: "the copy without the fix could not be judged",
    }[best.reproduced]
    outcome = "The fix passed its trial" if best.passed else f"The trial failed: {best.reason}"
    return f"{outcome}; {seen} ({best.isolation})."
