"""Which changes are at fault, found by experiment: what a search is asked, and what it answers in words.

Pure: how a set of changes is tried is the caller's, see `incidents/pipeline/experiments.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incidents.engine.ddmin import Ids, Minimal
from incidents.engine.reverts import Piece, actions_for
from incidents.values import Action, FixDraft

SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the experiments showed about everything that changed since last known good."""

    pieces: tuple[Piece, ...]
    result: Minimal
    seconds: float = 0.0

    @property
    def found(self) -> Ids:
        """Return the smallest set that heals, empty when there is none."""
        return self.result.changes or frozenset()

    @property
    def actions(self) -> tuple[Action, ...]:
        """Return the actions that put exactly this set back."""
        return actions_for(self.pieces, self.found)

    def names(self) -> list[str]:
        """Return the changes of the set in words, the most suspicious first."""
        return [piece.words for piece in self.pieces if piece.id in self.found]

    def draft(self) -> FixDraft:
        """Return the fix that puts the set back."""
        names = self.names()
        others = len(self.pieces) - len(names)
        kept = f"; the other {others} of {len(self.pieces)} changes are kept" if others else ""
        proof = (
            " Found by experiment: leave any one of them out and it still fails."
            if self.result.proved
            else ""
        )
        return FixDraft(
            actions=self.actions,
            explanation=f"Put back {_listed(names)}{kept}.{proof}",
            risks="What these changes were made for is lost until they are made again correctly.",
            proved_minimal=self.result.proved,
        )

    def words(self) -> str:
        """Return in one sentence what the experiments showed."""
        names = self.names()
        if not names:
            return f"Experiments with what changed since last known good: {self.result.why}."
        many = f"{len(names)} of {len(self.pieces)} changes" if len(names) > 1 else "One change"
        if not self.result.proved:
            return f"{many} put back heal it ({_listed(names)}), not proved to be the fewest: {self.result.why}."
        which, verb = ("any one of them", "are") if len(names) > 1 else ("it", "is")
        return (
            f"{many} {verb} at fault: {_listed(names)}. Reverted, the service works; "
            f"put {which} back and it fails."
        )

    def as_json(self) -> dict[str, Any]:
        """Return the proof as it stands on a receipt."""
        return {
            "proved": self.result.proved,
            "changes": self.names(),
            "of": len(self.pieces),
            "copies": self.result.calls,
            "seconds": round(self.seconds, 3),
            "left_out": _left_out(self.pieces, self.result.left_out),
            "words": self.words(),
            "why": self.result.why,
        }


def _left_out(
    pieces: Sequence[Piece], seen: Mapping[str, bool | None]
) -> list[dict[str, str | None]]:
    """Return, change by change, what happened when it alone stayed in place."""
    told = {True: "heals", False: "fails", None: "cannot be tried"}
    return [
        {"change": piece.words, "without_it": told[seen[piece.id]]}
        for piece in pieces
        if piece.id in seen
    ]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
