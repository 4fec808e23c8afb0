"""Finds by experiment which of the changes since last known good are at fault (law 8: no model is needed for it)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from django.conf import settings

from incidents.engine import patches
from incidents.engine.ddmin import Ids, Limits, Passes, minimal_revert
from incidents.engine.facts import Facts
from incidents.engine.leads import failures_of, suspects_of
from incidents.engine.minimal import Finding
from incidents.engine.receipts import Receipt
from incidents.engine.reverts import Piece, actions_for, ids_of, pieces_of
from incidents.models import Fix
from incidents.pipeline.laboratory import CORES, Laboratory, with_writes
from incidents.pipeline.proving import Version
from incidents.ports import SandboxError
from incidents.values import actions_from_json
from monitoring.models import Blob

MOST_LEADS = 5


@dataclass(frozen=True)
class Tried:
    """A candidate with its receipt."""

    fix: Fix
    receipt: Receipt


def find_minimal(room: Laboratory, tried: Sequence[Tried]) -> Finding | None:
    """Return the smallest set of changes whose reversal heals, or why none does; None when there is nothing to ask.

    What the candidates showed is not tried again: a candidate that put one change back and passed needs no further copy,
    for the copy without any fix is the one in which that change stayed in place. Bounded by MINIMAL_REVERT_SECONDS and
    MINIMAL_REVERT_COPIES.
    """
    if not _worth_asking(room, tried):
        return None
    pieces = pieces_of(Facts(room.pack))
    if not pieces:
        return None
    begun = monotonic()
    search = _Search(room, pieces, begun + settings.MINIMAL_REVERT_SECONDS)
    known = search.follow(search.known(tried))
    result = minimal_revert(
        [piece.id for piece in pieces],
        search.passes,
        Limits(
            calls=settings.MINIMAL_REVERT_COPIES,
            deadline=search.deadline,
            clock=monotonic,
            at_once=CORES,
        ),
        search.side_by_side,
        known,
    )
    result = replace(result, calls=result.calls + search.guessed)
    return Finding(pieces=pieces, result=result, seconds=monotonic() - begun)


def _worth_asking(room: Laboratory, tried: Sequence[Tried]) -> bool:
    """Say whether an experiment can tell anything: the failure is seen in a copy, and no restart alone heals it."""
    if room.pack.last_good is None:
        return False
    if any(
        one.receipt.passed and not one.fix.lines_changed and one.fix.environment is None
        for one in tried
    ):
        return False
    try:
        current = Version(name="as-is", tree=room.pack.current, environment=room.pack.environment)
        return room.judge(current).reproduced is True
    except SandboxError:
        return False


class _Search:
    """Tries sets of changes: the oracle of the search is the receipt."""

    def __init__(self, room: Laboratory, pieces: tuple[Piece, ...], deadline: float) -> None:
        self.room, self.pieces, self.deadline = room, pieces, deadline
        self.guessed = 0

    def follow(self, known: dict[Ids, bool | None]) -> dict[Ids, bool | None]:
        """Put back what explains each failure best, look what still fails then, and so on; return all that was tried.

        The second of two faults shows only when the first is gone, and then it names itself: following it takes a copy
        a fault, where a blind search takes dozens. When it leads nowhere the blind search begins.
        """
        if any(known.values()):
            return known
        chosen: Ids = frozenset()
        for _ in range(MOST_LEADS):
            more = self._suspects(chosen)
            chosen |= more
            if not more or monotonic() > self.deadline:
                break
            if chosen not in known:
                known[chosen] = self.passes(chosen)
                self.guessed += 1
            if known[chosen]:
                break
        return known

    def _suspects(self, chosen: Ids) -> Ids:
        """Return what explains the failures of the version with the chosen changes put back."""
        version = self._version(chosen) if chosen else self._as_is()
        if version is None:
            return frozenset()
        room = self.room
        try:
            ran, receipt = room.start(version).result(), room.judge(version)
        except SandboxError:
            return frozenset()
        seen = failures_of(
            room.script.exchanges, ran, receipt.body["requests"], room.script.slow_ms
        )
        pack = replace(room.pack, current=version.tree, environment=version.environment)
        left = {piece.id for piece in self.pieces} - chosen
        return suspects_of(pack, seen, ran.log_tail, left)

    def _as_is(self) -> Version:
        pack = self.room.pack
        return Version(name="as-is", tree=pack.current, environment=pack.environment)

    def known(self, tried: Sequence[Tried]) -> dict[Ids, bool | None]:
        """Return what the candidates have shown already, those that are nothing but such sets."""
        found: dict[Ids, bool | None] = {frozenset(): False}
        for one in tried:
            ids = ids_of(self.pieces, actions_from_json(one.fix.actions))
            if ids and self._leads_to(ids, one.fix):
                found[ids] = one.receipt.passed
        return found

    def _leads_to(self, ids: Ids, fix: Fix) -> bool:
        """Say whether the set does exactly what the fix does."""
        change = self._change(ids)
        if change is None:
            return False
        digests = {path: digest["after"] for path, digest in fix.writes.items()}
        return (_digests(change.writes), change.environment) == (digests, fix.environment)

    def passes(self, ids: Ids) -> bool | None:
        """Say whether the service works with exactly these changes put back; None when that cannot be tried."""
        version = self._version(ids)
        if version is None:
            return None
        try:
            return self.room.judge(version).passed
        except SandboxError:
            return None

    def side_by_side(self, passes: Passes, sets: Sequence[Ids]) -> Iterable[bool | None]:
        """Begin every set at once, then judge them."""
        for version in map(self._version, sets):
            if version is not None:
                self.room.start(version)
        return [passes(ids) for ids in sets]

    def _version(self, ids: Ids) -> Version | None:
        change = self._change(ids)
        if change is None:
            return None
        pack = self.room.pack
        environment = pack.environment if change.environment is None else change.environment
        tree = with_writes(pack.current, change.writes)
        return self.room.hurried(
            Version(name=f"search-{len(ids)}", tree=tree, environment=environment)
        )

    def _change(self, ids: Ids) -> patches.Change | None:
        pack = self.room.pack
        try:
            return patches.apply(
                actions_for(self.pieces, ids),
                pack.current,
                pack.last_good,
                pack.environment,
                pack.last_good_environment,
            )
        except patches.PatchError:
            return None


def _digests(writes: Mapping[str, bytes | None]) -> dict[str, str | None]:
    return {path: None if data is None else Blob.digest(data) for path, data in writes.items()}
