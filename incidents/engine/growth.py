"""Compares what copies of a service used under the same requests: does a fix end a leak or a flood?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from incidents.values import BoxUsage
from monitoring.judging_resources import FILES, LOG, MEMORY

ROUNDS = 60
"""How many more requests a copy answers, so that what grows with each can be told from what does not."""

STILL_GROWS, FINE, NOT_JUDGED = "still grows", "ok", "not judged"


@dataclass(frozen=True)
class _Figure:
    read: Callable[[BoxUsage], int | None]
    factor: float
    least: int


_FIGURES = {
    MEMORY: _Figure(lambda usage: usage.peak_memory_bytes, 1.05, 4_000_000),
    FILES: _Figure(lambda usage: usage.open_files, 1.0, ROUNDS // 4),
    LOG: _Figure(lambda usage: usage.log_bytes, 2.0, 50_000),
}


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What three copies came to under the same requests. `right` is last known good's."""

    kind: str
    before: int | None
    after: int | None
    right: int | None

    @property
    def reproduced(self) -> bool | None:
        """Return whether the copy without the fix used clearly more than last known good; None where none can be compared."""
        return self._is_more(self.before)

    @property
    def verdict(self) -> str:
        """Return what is said of the fix: only a growth that was reproduced can be seen to have ended."""
        if not self.reproduced:
            return NOT_JUDGED
        return STILL_GROWS if self._is_more(self.after) else FINE

    def as_json(self) -> dict[str, Any]:
        """Return it as a receipt shows it."""
        return {**vars(self), "reproduced": self.reproduced, "verdict": self.verdict}

    def words(self) -> str:
        """Return why the fix is none."""
        return f"{self.kind}: the copy with the fix came to {self.after}, last known good to {self.right}, under the same requests"

    def _is_more(self, value: int | None) -> bool | None:
        if value is None or self.right is None:
            return None
        figure = _FIGURES[self.kind]
        return value > figure.factor * self.right + figure.least


def compared(kind: str, before: BoxUsage, after: BoxUsage, right: BoxUsage | None) -> Growth | None:
    """Return the comparison for an incident of this kind (a `Trouble.kind`), None for any other."""
    figure = _FIGURES.get(kind)
    if figure is None:
        return None
    return Growth(
        kind=kind,
        before=figure.read(before),
        after=figure.read(after),
        right=figure.read(right) if right else None,
    )
