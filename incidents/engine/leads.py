"""Follows what a copy says when it fails: each failing answer points at the change that explains it best."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from incidents.engine.facts import Facts
from incidents.engine.hunks import Hunk
from incidents.engine.reverts import Piece, pieces_of
from incidents.engine.suspects import suspicion
from incidents.values import EvidencePack, Exchange, Failure, StartUp
from monitoring.judging import Question, judge
from monitoring.values import Answer, ProcessState

MOST_FAILURES = 5
_WORD = re.compile(r"[A-Za-z_]\w+")


class Ran(Protocol):
    """How one copy behaved."""

    @property
    def startup(self) -> StartUp: ...
    @property
    def answers(self) -> tuple[Answer, ...]: ...


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One failure of a copy; `words` are names that the difference to last known good mentions."""

    failure: Failure
    gone: bool = False
    words: frozenset[str] = frozenset()


def suspects_of(
    pack: EvidencePack, seen: Sequence[Seen], log: str, among: Collection[str]
) -> frozenset[str]:
    """Return for each failure the change (of `among`) that explains it best.

    `pack` holds the files that the copy ran, so that the lines of its tracebacks are theirs; `log` is what it wrote.
    """
    found = (_best(pack, one, log, among) for one in seen)
    return frozenset(piece.id for piece in found if piece is not None)


def failures_of(
    exchanges: Sequence[Exchange], ran: Ran, lines: Sequence[dict[str, Any]], slow_ms: float
) -> list[Seen]:
    """Return what failed in a copy, each kind of failure once."""
    if not ran.startup.answered:
        end = f"exit {ran.startup.exit_code}" if ran.startup.exit_code is not None else "timeout"
        symptom = "timeout" if ran.startup.hung else "no_process"
        return [Seen(failure=Failure(symptom=symptom, error_type=end), gone=not ran.startup.hung)]
    kinds: dict[tuple[str, str, str], Seen] = {}
    for exchange, answer, line in zip(exchanges, ran.answers, lines, strict=True):
        for seen in _failure(exchange, answer, line, slow_ms):
            failure = seen.failure
            kinds.setdefault((failure.error_type, failure.detail, failure.traceback[-300:]), seen)
    return list(kinds.values())[:MOST_FAILURES]


def _failure(
    exchange: Exchange, answer: Answer, line: dict[str, Any], slow_ms: float
) -> Iterator[Seen]:
    if line["verdict"] in {"ok", "not judged"} or answer.failure in {"not_asked", "not_started"}:
        return
    request = exchange.request
    verdict = judge(
        answer, Question(request=request, slow_ms=slow_ms, health=exchange.source == "health")
    )
    values = {name: getattr(verdict, name) for name in Failure.__dataclass_fields__}
    if line["verdict"] == "differs":
        values |= {"symptom": "wrong_answer", "detail": str(line["differences"])}
    words = (
        frozenset(_WORD.findall(" ".join(line["differences"])))
        if line["verdict"] == "differs"
        else frozenset()
    )
    yield Seen(failure=Failure(**values), words=words)


def _best(pack: EvidencePack, seen: Seen, log: str, among: Collection[str]) -> Piece | None:
    state = (
        ProcessState(phase="exited", exit_code=1) if seen.gone else ProcessState(phase="running")
    )
    facts = Facts(replace(pack, failure=seen.failure, process=state, log_tail=log, stacks=""))
    pieces = [piece for piece in pieces_of(facts) if piece.id in among]
    hunks = {f"{hunk.path}#{hunk.id}": hunk for hunk in facts.hunks}
    if (
        not seen.words
    ):  # what the error says decides only between changes that explain it equally well
        pieces = _as_good_as_the_first(pieces, hunks, facts)
    words = seen.words or frozenset(_WORD.findall(seen.failure.detail))
    return max(pieces, key=lambda piece: _mentions(hunks.get(piece.id), words), default=None)


def _as_good_as_the_first(
    pieces: list[Piece], hunks: Mapping[str, Hunk], facts: Facts
) -> list[Piece]:
    first = hunks.get(pieces[0].id) if pieces else None
    if first is None:
        return pieces[:1]
    most = suspicion(first, facts)
    return [p for p in pieces if p.id in hunks and suspicion(hunks[p.id], facts) == most]


def _mentions(hunk: Hunk | None, words: frozenset[str]) -> int:
    return 0 if hunk is None else len(words.intersection(_WORD.findall(_text(hunk))))


def _text(hunk: Hunk) -> str:
    return "".join((*hunk.old_lines, *hunk.new_lines))[:5_000]
