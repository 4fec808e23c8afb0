"""Putting a fault's edits into files and taking exactly them out again. Pure: bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.faults.catalogue import Edit, Fault


class EditDoesNotFit(ValueError):
    """The text that an edit replaces does not stand in the file exactly once."""


def put_in(fault: Fault, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the changed files. Raises EditDoesNotFit (text not there, there twice, no such file, or all of it is in already).

    What is left of an earlier time, of which somebody took out only what did harm, is no hindrance.
    """
    missing = [edit for edit in fault.edits if not stands(edit, files)]
    if fault.edits and not missing:
        raise EditDoesNotFit(f"{fault.edits[0].path}: the fault is in it already")
    changed: dict[str, bytes] = {}
    for edit in missing:
        changed[edit.path] = _replaced(changed.get(edit.path, files.get(edit.path)), edit)
    return changed


def stands(edit: Edit, files: Mapping[str, bytes]) -> bool:
    """Say whether an edit is in the files."""
    return edit.new in files.get(edit.path, b"")


def take_out(fault: Fault, path: str, *, before: bytes, now: bytes | None) -> bytes:
    """Return a file without the fault, given its bytes before the fault and those of now (None: it is gone).

    Others' edits of the same file since then stay wherever the fault's own edits can still be told apart; where
    they cannot, the bytes before the fault win, because "put everything back" must always work.
    """
    if now is None or now == before:
        return before
    text = now
    for edit in reversed([edit for edit in fault.edits if edit.path == path]):
        if text.count(edit.new) == 1:
            text = text.replace(edit.new, edit.old)
        elif text.count(edit.old) != 1 or _left_of(edit, before=before, text=text):
            return before
    return text


def _left_of(edit: Edit, *, before: bytes, text: bytes) -> bool:
    """Say whether somebody put back only a part of an edit: the rest, without the others, may not even start."""
    brought = set(edit.new.splitlines()) - set(before.splitlines())
    return not brought.isdisjoint(text.splitlines())


def _replaced(text: bytes | None, edit: Edit) -> bytes:
    if text is None:
        raise EditDoesNotFit(f"there is no file {edit.path}")
    found = text.count(edit.old)
    if found == 1:
        return text.replace(edit.old, edit.new)
    first = edit.old.decode().strip().splitlines()[0]
    raise EditDoesNotFit(f"{edit.path}: {first!r} stands in it {found} times instead of once")
