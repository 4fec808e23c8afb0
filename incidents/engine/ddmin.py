"""Finds the smallest set of changes whose reversal heals: Zeller's delta debugging with trials as the oracle.

Source: A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002. There a test
is made to fail with as little input as possible; here a service is made to work with as little reversal as possible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Ids = frozenset[str]
_NOTHING_HEALS = "putting back every change does not heal it: the cause lies elsewhere"
_CANNOT_BE_TRIED = "the version with every change put back cannot be tried"
SMALL = 5
Passes = Callable[[Ids], bool | None]
Map = Callable[[Passes, Sequence[Ids]], Iterable[bool | None]]


@dataclass(frozen=True, kw_only=True)
class Minimal:
    """The result. `changes` is None when nothing heals, or nothing was found in time; `why` then says which.

    `proved` is true when every single change of the set was left out once and the trial then failed (or could not be
    made): put any one of them back and it fails. `calls` counts the trials that were really made. `left_out` holds what
    became of each change of the set when it alone was left out: the proof, one entry a change.
    """

    changes: Ids | None
    proved: bool
    calls: int
    why: str = ""
    left_out: Mapping[str, bool | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a search may cost: trials, and the time at which it ends by the clock that is passed in."""

    calls: int = 200
    deadline: float = float("inf")
    clock: Callable[[], float] = lambda: 0.0
    at_once: int = 2


def one_by_one(passes: Passes, sets: Sequence[Ids]) -> Iterable[bool | None]:
    """Try sets in turn; a caller with free cores passes a map that tries them side by side."""
    return map(passes, sets)


def minimal_revert(
    changes: Sequence[str],
    passes: Passes,
    limits: Limits,
    try_all: Map = one_by_one,
    known: Mapping[Ids, bool | None] | None = None,
) -> Minimal:
    """Return the smallest set of changes whose reversal heals, proved 1-minimal where time allows.

    `changes` go from the most suspicious to the least. `passes(ids)` reverts exactly these and answers True (healed),
    False (not) or None (cannot be tried, e.g. it does not compile). Never raises for what the oracle answers. `known`
    are sets that were tried before: they are not tried again, and the search starts from the smallest that healed.
    """
    search = _Search(passes, limits, try_all)
    search.remember(known or {})
    try:
        return search.run(tuple(dict.fromkeys(changes)))
    except _Spent as spent:
        why = f"the search was ended: {spent}"
        return Minimal(changes=search.best, proved=False, calls=search.calls, why=why)


class _Spent(Exception):
    """No more trials may be made."""


@dataclass
class _Search:
    passes: Passes
    limits: Limits
    try_all: Map
    calls: int = 0
    best: Ids | None = None
    seen: dict[Ids, bool | None] = field(default_factory=dict)

    def remember(self, known: Mapping[Ids, bool | None]) -> None:
        """Take over what was tried before."""
        self.seen.update(known)
        healed = [ids for ids, answer in known.items() if answer and ids]
        self.best = min(healed, key=len, default=None)

    def run(self, changes: tuple[str, ...]) -> Minimal:
        if not changes:
            return self._none("nothing changed, so that nothing can be put back")
        start = self.best or self._quick(changes)
        if start is None:
            start = frozenset(changes)
            answer = self._ask([start])[start]
            if not answer:
                return self._none(_NOTHING_HEALS if answer is False else _CANNOT_BE_TRIED)
        found = self._reduce(start, changes)
        left_out = {change: self.seen[found - {change}] for change in sorted(found)}
        return Minimal(changes=found, proved=True, calls=self.calls, left_out=left_out)

    def _quick(self, changes: tuple[str, ...]) -> Ids | None:
        """Try the most suspicious change alone (and its neighbours in rank, as many as fit at once), then prefixes.

        Most faults are one change that stands first in the ranking: then these few trials are all.
        """
        few = max(2, self.limits.at_once)
        singles = [frozenset({change}) for change in changes[:few]]
        prefixes = [frozenset(changes[:size]) for size in (2, 4, 8) if size < len(changes)]
        for batch in (singles, prefixes):
            healed = [ids for ids in batch if self._ask(batch).get(ids)]
            if healed:
                return min(healed, key=len)
        return None

    def _reduce(self, start: Ids, order: tuple[str, ...]) -> Ids:
        """Shrink a healing set until no single change can be left out: the last round has tried each of them."""
        current = [change for change in order if change in start]
        if len(current) <= SMALL:
            return self._leave_out(current)
        parts = 2
        while len(current) > 1:
            subsets = [frozenset(chunk) for chunk in _split(current, parts)]
            healed = self._first(subsets)
            parts_after = 2
            if healed is None and parts > 2:
                healed = self._first([frozenset(current) - subset for subset in reversed(subsets)])
                parts_after = max(parts - 1, 2)
            if healed is not None:
                current = [change for change in current if change in healed]
                parts = min(parts_after, len(current))
            elif parts < len(current):
                parts = min(2 * parts, len(current))
            else:
                break
        return frozenset(current)

    def _leave_out(self, current: list[str]) -> Ids:
        """Leave out one change after the other: for a few changes this is the proof itself, and no search before it."""
        while len(current) > 1:
            without = [frozenset(current) - {change} for change in reversed(current)]
            healed = self._first(without)
            if healed is None:
                break
            current = [change for change in current if change in healed]
        return frozenset(current)

    def _first(self, sets: Sequence[Ids]) -> Ids | None:
        """Return the first set that heals, trying as many side by side as fit."""
        for at in range(0, len(sets), max(1, self.limits.at_once)):
            batch = list(sets[at : at + max(1, self.limits.at_once)])
            answers = self._ask(batch)
            healed = next((ids for ids in batch if answers[ids]), None)
            if healed is not None:
                return healed
        return None

    def _ask(self, sets: Sequence[Ids]) -> dict[Ids, bool | None]:
        """Answer each set, from memory where it was tried; the empty set is the failing state itself."""
        self.seen.setdefault(frozenset(), False)
        fresh = [ids for ids in dict.fromkeys(sets) if ids not in self.seen]
        if fresh:
            self._may_go_on(len(fresh))
            self.calls += len(fresh)
            for ids, answer in zip(fresh, self.try_all(self.passes, fresh), strict=True):
                self.seen[ids] = answer
                if answer and (self.best is None or len(ids) < len(self.best)):
                    self.best = ids
        return {ids: self.seen[ids] for ids in sets}

    def _may_go_on(self, more: int) -> None:
        if self.calls + more > self.limits.calls:
            raise _Spent(f"{self.limits.calls} trials were not enough")
        if self.limits.clock() >= self.limits.deadline:
            raise _Spent("its time is over")

    def _none(self, why: str) -> Minimal:
        return Minimal(changes=None, proved=False, calls=self.calls, why=why)


def _split(items: list[str], parts: int) -> list[list[str]]:
    size, rest = divmod(len(items), parts)
    chunks, at = [], 0
    for number in range(parts):
        end = at + size + (1 if number < rest else 0)
        chunks.append(items[at:end])
        at = end
    return [chunk for chunk in chunks if chunk]
