"""The faults that can be put into a demo service: one TOML file each in `catalogue/`. Pure, but for reading them.

A file's name is the fault's name. Its keys: `title`, `what` (what will be done), `symptom` (what will be seen),
`severity` (as AgentOps should judge it); then `restart = true` when a code change goes live by a restart, and at least
one of `signal` (a number sent to the process) and `[[edit]]` tables (`path`, `old`, `new`: `old` must stand in the
file exactly once, and `new` must be no part of it). See `bug.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from monitoring.globs import safe_relative

FOLDER = Path(__file__).with_name("catalogue")
SEVERITIES = ("low", "medium", "high", "critical", "blocker")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TEXTS = {"title", "what", "symptom", "severity"}
_KEYS = _TEXTS | {"restart", "signal", "edit"}


class BadFaultFile(ValueError):
    """A file of the catalogue cannot be used; the text names the file and what is wrong."""


class UnknownFault(LookupError):
    """There is no such fault; the text lists the known ones."""

    def __init__(self, name: str) -> None:
        known = ", ".join(fault.name for fault in all_faults())
        super().__init__(f"There is no fault {name!r}. Known: {known}.")


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of one file: `old` stands in it once and becomes `new`."""

    path: str
    old: bytes
    new: bytes


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault, as its file describes it. `signal` is 0 when none is sent."""

    name: str
    title: str
    what: str
    symptom: str
    severity: str
    restart: bool = False
    signal: int = 0
    edits: tuple[Edit, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the files it changes, each once."""
        return tuple(dict.fromkeys(edit.path for edit in self.edits))


@cache
def all_faults() -> tuple[Fault, ...]:
    """Return the whole catalogue, the first four of the demo first. Raises BadFaultFile."""
    first = {name: place for place, name in enumerate(("bug", "slow", "crash", "bad_config"))}
    faults = [load(path) for path in FOLDER.glob("*.toml")]
    return tuple(sorted(faults, key=lambda fault: (first.get(fault.name, 9), fault.name)))


def find(name: str) -> Fault:
    """Return a fault by its name. Raises UnknownFault."""
    for fault in all_faults():
        if fault.name == name:
            return fault
    raise UnknownFault(name)


def load(path: Path) -> Fault:
    """Read one file of the catalogue. Raises BadFaultFile."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFaultFile(f"{path.name}: {error}") from error
    problem = _problem(path.stem, found)
    if problem:
        raise BadFaultFile(f"{path.name}: {problem}")
    texts = {key: found[key].strip() for key in _TEXTS}
    return Fault(
        name=path.stem,
        restart=found.get("restart", False),
        signal=found.get("signal", 0),
        edits=tuple(_edit(table) for table in found.get("edit", [])),
        **texts,
    )


def _problem(name: str, found: Mapping[str, Any]) -> str:
    checks = (
        (bool(_NAME.fullmatch(name)), "the name is lower-case letters, digits and _"),
        (not found.keys() - _KEYS, f"unknown: {', '.join(sorted(found.keys() - _KEYS))}"),
        (all(_is_text(found.get(key)) for key in _TEXTS), "title, what, symptom, severity: texts"),
        (found.get("severity") in SEVERITIES, f"severity is one of {', '.join(SEVERITIES)}"),
        (isinstance(found.get("restart", False), bool), "restart is true or false"),
        (type(found.get("signal", 0)) is int, "signal is a number"),
        (bool(found.get("signal")) or bool(found.get("edit")), "it does nothing"),
        (
            all(_is_edit(table) for table in found.get("edit", [])),
            "edit: path, old, and a new that is no part of old",
        ),
    )
    return next((problem for right, problem in checks if not right), "")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_edit(table: Mapping[str, Any]) -> bool:
    texts = table.keys() == {"path", "old", "new"} and all(
        isinstance(v, str) for v in table.values()
    )
    if not texts or not safe_relative(table["path"]):
        return False
    # Otherwise nobody could tell a file with the fault from one without it.
    return bool(table["old"]) and table["new"] not in table["old"]


def _edit(table: Mapping[str, str]) -> Edit:
    return Edit(path=table["path"], old=table["old"].encode(), new=table["new"].encode())
