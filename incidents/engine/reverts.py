"""Everything that changed since last known good, as named pieces that a search can put back in any combination."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from incidents.engine.config_edits import value_edit
from incidents.engine.facts import Facts
from incidents.engine.hunks import Hunk
from incidents.engine.patches import PatchError, apply
from incidents.engine.suspects import ranked
from incidents.values import Action, Edit, Restart, Revert, RevertEnvironment


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One change that can be put back alone: a hunk, a file, a config value or an environment variable."""

    id: str
    action: Edit | Revert | RevertEnvironment
    words: str

    @property
    def path(self) -> str:
        """Return the file that it belongs to, "" for a variable."""
        return "" if isinstance(self.action, RevertEnvironment) else self.action.path


def pieces_of(facts: Facts) -> tuple[Piece, ...]:
    """Return every change, the most suspicious first; config values stand for a line that several of them share."""
    hunks = [piece for hunk in ranked(facts) for piece in _of_hunk(hunk, facts)]
    named = [_of_variable(n) for n in facts.changed_environment if n in facts.said]
    others = [_of_variable(n) for n in facts.changed_environment if n not in facts.said]
    return (*named, *hunks, *others)


def actions_for(pieces: Collection[Piece], ids: Collection[str]) -> tuple[Action, ...]:
    """Return the actions that put exactly these pieces back, with the hunks of a file in one revert."""
    chosen = [piece.action for piece in pieces if piece.id in ids]
    hunks: dict[str, list[str]] = {}
    for action in chosen:
        if isinstance(action, Revert):
            hunks.setdefault(action.path, []).extend(action.hunks)
    names = tuple(n for a in chosen if isinstance(a, RevertEnvironment) for n in a.names)
    return (
        *(Revert(path=path, hunks=tuple(found)) for path, found in hunks.items()),
        *(action for action in chosen if isinstance(action, Edit)),
        *((RevertEnvironment(names=names),) if names else ()),
    )


def ids_of(pieces: Collection[Piece], actions: Collection[Action]) -> frozenset[str] | None:
    """Return the pieces that the actions put back, None when they do anything that is no putting back of pieces."""
    found: set[str] = set()
    for action in actions:
        named = _named(pieces, action)
        if named is None:
            return None
        found |= named
    return frozenset(found)


def _named(pieces: Collection[Piece], action: Action) -> set[str] | None:
    known = {piece.id for piece in pieces}
    match action:
        case Restart():
            return set()
        case Revert(path=path, hunks=()):
            names = {piece.id for piece in pieces if piece.path == path}
        case Revert(path=path, hunks=hunks):
            names = {f"{path}#{name}" for name in hunks}
        case RevertEnvironment(names=variables):
            names = {f"env#{name}" for name in variables}
        case Edit():
            names = {piece.id for piece in pieces if piece.action == action}
    return names if names and names <= known else None


def _of_hunk(hunk: Hunk, facts: Facts) -> Iterator[Piece]:
    edits = _value_pieces(hunk, facts)
    if edits:
        yield from edits
        return
    yield Piece(
        id=f"{hunk.path}#{hunk.id}",
        action=Revert(path=hunk.path, hunks=(hunk.id,)),
        words=f"{hunk.path} line {hunk.new_start}"
        if hunk.kind == "changed"
        else f"{hunk.path} ({hunk.kind})",
    )


def _value_pieces(hunk: Hunk, facts: Facts) -> list[Piece]:
    """Return one piece a value, when they add up to exactly the hunk; otherwise the hunk is the piece."""
    good = facts.pack.last_good
    inside = [
        c for c in facts.changed_values if c.file == hunk.path and c.line and hunk.covers(c.line)
    ]
    if good is None or len(inside) < 2:
        return []
    edits = [(c, value_edit(c, facts.hunks, facts.pack.current, good)) for c in inside]
    found = [
        Piece(id=f"{c.file}#{c.key}", action=edit, words=f"{c.file}: {c.words()}")
        for c, edit in edits
        if edit is not None
    ]
    whole = _written((Revert(path=hunk.path, hunks=(hunk.id,)),), facts)
    same = whole is not None and whole == _written(tuple(p.action for p in found), facts)
    return found if same and len(found) == len(inside) else []


def _written(actions: tuple[Action, ...], facts: Facts) -> dict[str, bytes | None] | None:
    try:
        return apply(actions, facts.pack.current, facts.pack.last_good, {}, None).writes
    except PatchError:
        return None


def _of_variable(name: str) -> Piece:
    return Piece(
        id=f"env#{name}", action=RevertEnvironment(names=(name,)), words=f"variable {name}"
    )
