"""From typed actions to the exact bytes that will be written. No other code turns a fix into files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from incidents.engine.diffs import lines_changed, unified_diff
from incidents.engine.hunks import Hunk, file_hunks, hunks, pieces
from incidents.engine.lines import as_text, split_lines
from incidents.values import Action, Edit, Restart, Revert, RevertEnvironment
from monitoring.globs import matches, safe_relative
from monitoring.values import Tree

__all__ = [
    "Change",
    "Hunk",
    "PatchError",
    "apply",
    "check_paths",
    "hunks",
    "inside",
    "lines_changed",
    "unified_diff",
]


class PatchError(ValueError):
    """The actions cannot be carried out on these files; the text says why, `action` is the one at fault (None: all)."""

    action: Action | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a fix does: files to write (None deletes), the whole new environment (None: as it is).

    `restarts` is true for every change of today's actions: a running process reads neither code nor environment again.
    """

    writes: dict[str, bytes | None]
    environment: dict[str, str] | None
    restarts: bool


def inside(path: str, globs: Iterable[str]) -> bool:
    """Return whether a path is safe and one that the service declares as editable."""
    return safe_relative(path) and matches(path, globs)


def check_paths(
    paths: Iterable[str], globs: Iterable[str], protected: Collection[str] = ()
) -> None:
    """Raise `PatchError` that names the first path which may not be written; `protected` ones never may."""
    patterns = tuple(globs)
    for path in paths:
        _refuse_unsafe(path)
        if not matches(path, patterns):
            raise PatchError(f"{path} is not one of the service's editable files.")
        if path in protected:
            raise PatchError(f"{path} belongs to a check command, which proves fixes.")


def apply(
    actions: Sequence[Action],
    current: Tree,
    last_good: Tree | None,
    environment: Mapping[str, str],
    last_good_environment: Mapping[str, str] | None,
) -> Change:
    """Return what the actions write; raise `PatchError` when one of them does not fit these files.

    Reverts come first and combine, since hunk ids are names of places in the current files; edits follow in order.
    """
    writes = _reverted([a for a in actions if isinstance(a, Revert)], current, last_good)
    for action in actions:
        if isinstance(action, Edit):
            _refuse_unsafe(action.path)
            data = writes[action.path] if action.path in writes else current.get(action.path)
            with _blaming(action):
                writes[action.path] = _edited(action, data)
    writes = {path: data for path, data in writes.items() if data != current.get(path)}
    names = [n for a in actions if isinstance(a, RevertEnvironment) for n in a.names]
    changed = _environment(names, environment, last_good_environment) if names else None
    if not writes and changed is None and not any(isinstance(a, Restart) for a in actions):
        raise PatchError("These actions change nothing.")
    return Change(writes=writes, environment=changed, restarts=True)


@contextmanager
def _blaming(action: Action) -> Iterator[None]:
    try:
        yield
    except PatchError as error:
        error.action = action
        raise


def _refuse_unsafe(path: str) -> None:
    if not safe_relative(path):
        raise PatchError(f"{path[:100]!r} is not a path inside the service's folder.")


def _reverted(
    actions: list[Revert], current: Tree, last_good: Tree | None
) -> dict[str, bytes | None]:
    if actions and last_good is None:
        raise PatchError("There is no last known good version of this service to go back to.")
    wanted: dict[str, set[str]] = {}
    for action in actions:
        with _blaming(action):
            wanted.setdefault(action.path, set()).update(_named(action, current, last_good or {}))
    good = last_good or {}
    return {path: _put_back(path, ids, good, current) for path, ids in wanted.items()}


def _named(action: Revert, current: Tree, last_good: Tree) -> set[str]:
    """Return the ids of the changes that the action puts back."""
    path = action.path
    _refuse_unsafe(path)
    known = {hunk.id for hunk in file_hunks(path, last_good.get(path), current.get(path))}
    if not known:
        raise PatchError(f"{path} is the same as in the last known good version.")
    unknown = [name for name in action.hunks if name not in known]
    if unknown:
        raise PatchError(
            f"{path} has no change named {unknown[0][:40]!r}; the file may have changed since."
        )
    return set(action.hunks) or known


def _put_back(path: str, ids: set[str], last_good: Tree, current: Tree) -> bytes | None:
    old, new = last_good.get(path), current.get(path)
    found = file_hunks(path, old, new)
    if {hunk.id for hunk in found} <= ids or old is None or new is None:
        return old
    old_lines = split_lines(as_text(old) or "")
    new_lines = split_lines(as_text(new) or "")
    names = iter(hunk.id for hunk in found)
    out: list[str] = []
    for span in pieces(old_lines, new_lines):
        back = not span.same and next(names) in ids
        out += (
            old_lines[span.old_from : span.old_to]
            if back
            else new_lines[span.new_from : span.new_to]
        )
    return "".join(out).encode()


def _edited(edit: Edit, data: bytes | None) -> bytes:
    if data is None:
        raise PatchError(f"{edit.path} does not exist, so that nothing in it can be replaced.")
    text = as_text(data)
    if text is None:
        raise PatchError(f"{edit.path} is not a UTF-8 text file.")
    old, new = _in_file_newlines(edit, text)
    start = text.find(old) if old else -1
    if not old or old == new:
        raise PatchError(f"The edit of {edit.path} replaces nothing.")
    if start < 0:
        raise PatchError(f"The text to replace was not found in {edit.path}: {_short(edit.old)}")
    if text.find(old, start + 1) >= 0:
        raise PatchError(
            f"The text to replace stands more than once in {edit.path}: {_short(edit.old)}"
        )
    try:
        return (text[:start] + new + text[start + len(old) :]).encode()
    except UnicodeEncodeError as error:
        raise PatchError(f"The new text for {edit.path} is not valid Unicode.") from error


def _in_file_newlines(edit: Edit, text: str) -> tuple[str, str]:
    # Authors write "\n"; in a file with CRLF ends their text would never be found, or would mix the ends.
    if "\r\n" in text and "\n" not in text.replace("\r\n", "") and "\r\n" not in edit.old:
        return edit.old.replace("\n", "\r\n"), edit.new.replace("\r\n", "\n").replace("\n", "\r\n")
    return edit.old, edit.new


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _environment(
    names: list[str], environment: Mapping[str, str], last_good: Mapping[str, str] | None
) -> dict[str, str]:
    if last_good is None:
        raise PatchError("There is no last known good environment to go back to.")
    result = dict(environment)
    for name in names:
        if environment.get(name) == last_good.get(name):
            raise PatchError(f"The environment variable {name[:60]} did not change.")
        if name in last_good:
            result[name] = last_good[name]
        else:
            result.pop(name, None)
    return result
