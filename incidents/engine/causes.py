"""What a rule finds: the cause with its place, before it is put into words for people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from incidents.engine.facts import Facts
from incidents.values import Category


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A cause. `cites` are the kinds of evidence that it stands on."""

    category: Category
    text: str
    certainty: float
    cites: tuple[str, ...]
    file: str = ""
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of the table: what it finds, and what may be said when it finds nothing.

    `can_tell` says whether the evidence suffices to rule it out: without stacks nobody may say "it does not hang".
    """

    name: str
    find: Callable[[Facts], Cause | None]
    ruled_out: str = ""
    can_tell: Callable[[Facts], bool] = lambda _facts: True
