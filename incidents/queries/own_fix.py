"""What a person's own fix may be made of: the editable files, what changed since last known good, a first suggestion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from incidents.engine.hunks import Hunk, hunks
from incidents.engine.lines import as_text, split_lines
from incidents.engine.patches import inside
from incidents.engine.redaction import redact
from incidents.models import Evidence
from incidents.queries.page import Loaded
from monitoring.models import Blob

LINES_SHOWN = 12
MOST_FILES = 2000
MOST_CONTEXT = 6


@dataclass(frozen=True, kw_only=True)
class ChangedFile:
    """One file that is not as it was in last known good, with its changes as (hunk id, words, lines to show)."""

    path: str
    hunks: tuple[tuple[str, str, tuple[str, ...]], ...]


@dataclass(frozen=True, kw_only=True)
class Material:
    """The choices of the form. `suggested` is (path, text): the lines to blame, enough to stand once in the file."""

    files: tuple[str, ...] = ()
    changed: tuple[ChangedFile, ...] = ()
    names: tuple[str, ...] = ()
    suggested: tuple[str, str] = ("", "")


def material(loaded: Loaded) -> Material:
    """Return what the present attempt's evidence lets a person choose from; two queries."""
    row = loaded.evidence
    if row is None:
        return Material()
    service = loaded.incident.service
    files = [path for path in sorted(row.current) if inside(path, service.editable_globs)]
    return Material(
        files=tuple(files[:MOST_FILES]),
        changed=_changed(row, service.editable_globs),
        names=_names(row),
        suggested=_suggested(loaded, row, files),
    )


def _changed(row: Evidence, globs: Sequence[str]) -> tuple[ChangedFile, ...]:
    if row.last_good is None:
        return ()
    paths = {path for path in {*row.current, *row.last_good} if inside(path, globs)}
    differ = {path for path in paths if row.current.get(path) != row.last_good.get(path)}
    old, new = (
        Blob.read({path: sha for path, sha in manifest.items() if path in differ})
        for manifest in (row.last_good, row.current)
    )
    by_path: dict[str, list[Hunk]] = {}
    for hunk in hunks(old, new):
        by_path.setdefault(hunk.path, []).append(hunk)
    known = {name: str(value) for name, value in row.environment.items()}
    return tuple(
        ChangedFile(path=path, hunks=tuple(_shown(hunk, known) for hunk in found))
        for path, found in by_path.items()
    )


def _shown(hunk: Hunk, known: dict[str, str]) -> tuple[str, str, tuple[str, ...]]:
    """Return a change for the checklist: from where on it stands, and its first lines with secrets replaced."""
    words = {"added": "the whole file is new", "deleted": "the whole file is gone"}
    words |= {"binary": "the whole file changed"}
    where = words.get(hunk.kind, f"from line {hunk.new_start}")
    lines = [f"- {line}" for line in hunk.old_lines] + [f"+ {line}" for line in hunk.new_lines]
    shown = [redact(line.rstrip("\r\n"), known) for line in lines[:LINES_SHOWN]]
    more = len(lines) - len(shown)
    return hunk.id, where, tuple([*shown, f"… and {more} more lines"] if more > 0 else shown)


def _names(row: Evidence) -> tuple[str, ...]:
    """Return the environment variables that are not as they were; their values are nobody's to see."""
    good = row.last_good_environment
    if good is None:
        return ()
    names = {*row.environment, *good}
    return tuple(sorted(n for n in names if row.environment.get(n) != good.get(n)))


def _suggested(loaded: Loaded, row: Evidence, files: Sequence[str]) -> tuple[str, str]:
    """Return the blamed file and line, with as many lines before it as make the text stand only once."""
    diagnosis = loaded.diagnosis
    if diagnosis is None or diagnosis.file not in files:
        return "", ""
    data = Blob.read({diagnosis.file: row.current[diagnosis.file]})[diagnosis.file]
    text = (as_text(data) or "").replace("\r\n", "\n")
    lines = split_lines(text)
    if not diagnosis.line or diagnosis.line > len(lines):
        return diagnosis.file, ""
    for above in range(min(MOST_CONTEXT, diagnosis.line)):
        part = "".join(lines[diagnosis.line - 1 - above : diagnosis.line]).rstrip("\n")
        if part.strip() and text.count(part) == 1:
            # What is secret is not filled in: it would be typed back into the page of everybody who looks.
            return diagnosis.file, part if redact(part) == part else ""
    return diagnosis.file, ""
