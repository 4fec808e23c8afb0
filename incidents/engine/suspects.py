"""Ranks the changes since last known good by how well each would explain the failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from incidents.engine.configs import is_config
from incidents.engine.facts import Facts
from incidents.engine.hunks import Hunk
from monitoring.judging_resources import FILES, LOG, MEMORY
from monitoring.values import Symptom

_HARMLESS = frozenset({".md", ".rst", ".txt", ".css", ".svg", ".png", ".ico"})
_QUOTED_NAME = re.compile(r"['\"]([A-Za-z_][\w.-]{1,60})['\"]")
_WAITS = re.compile(
    r"\bsleep\s*\(|\bwhile\b|\.acquire\(|\block\b|\.join\(|\.wait\(|\bfor\b.*\brange\s*\(|urlopen|connect\("
)
_ENDS = re.compile(
    r"\b(?:sys\.|os\.)?_?exit\s*\(|\bos\.(?:kill|abort)\b|\braise\s+SystemExit|\bquit\s*\("
)
_KEEPS = {
    MEMORY: re.compile(
        r"\.(?:append|add|extend|setdefault|update)\(|\w\[[^\]]+\]\s*=[^=]|cache|maxsize"
    ),
    FILES: re.compile(r"\bopen\(|socket|connect|urlopen|Popen|\.request\("),
    LOG: re.compile(r"\bprint\(|\blogs?\.|logg(?:er|ing)|\.(?:debug|info|warning|write)\("),
}
_COMMENT = re.compile(r"\s*(?:#.*)?$")

# What each answers: how many points does this hunk get? The strongest explanations come first.
_Points = Callable[[Hunk, Facts], int]


def ranked(facts: Facts) -> tuple[Hunk, ...]:
    """Return all hunks, the most suspicious first; equals stay in the order of the files."""
    return tuple(sorted(facts.hunks, key=lambda hunk: -suspicion(hunk, facts)))


def suspicion(hunk: Hunk, facts: Facts) -> int:
    """Return a hunk's points; about 50 and more means that it explains what was seen."""
    return sum(points(hunk, facts) for points in _RULES)


def line_in(hunk: Hunk, facts: Facts) -> int:
    """Return the most telling current line of a hunk."""
    pattern = _telling(facts)
    for offset, line in enumerate(hunk.new_lines):
        if pattern is not None and pattern.search(line):
            return hunk.new_start + offset
    firsts = (n for n, line in enumerate(hunk.new_lines) if not _COMMENT.match(line))
    return hunk.new_start + next(firsts, 0)


def missing_names(facts: Facts) -> frozenset[str]:
    """Return the names that the exceptions complain about, e.g. `total` of "name 'total' is not defined"."""
    texts = [trace.message for trace in facts.chain]
    names = {name for text in texts for name in _QUOTED_NAME.findall(text)}
    return frozenset(part for name in names for part in {name, name.rpartition(".")[2]} if part)


def takes_away(hunk: Hunk, names: frozenset[str]) -> bool:
    """Return whether a hunk removes the last mention of a name on a line that may have defined it."""
    old, new = _text(hunk.old_lines), _text(hunk.new_lines)
    return any(_mentions(old, name) and not _mentions(new, name) for name in names)


def _text(lines: tuple[str, ...]) -> str:
    # A minified file is one line of a megabyte, over which the patterns would take minutes.
    return "".join(line[:2_000] for line in lines[:500])


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _on_the_line(hunk: Hunk, facts: Facts) -> int:
    culprit = facts.culprit
    if culprit is None or culprit.line is None or culprit.file != hunk.path:
        return 0
    return 100 if hunk.covers(culprit.line) else 30


def _in_the_stack(hunk: Hunk, facts: Facts) -> int:
    frames = [frame for trace in facts.chain for frame in trace.frames]
    located = {(facts.places.locate(frame.path), frame.line) for frame in frames}
    if any(file == hunk.path and hunk.covers(line) for file, line in located):
        return 60
    return 15 if any(file == hunk.path for file, _line in located) else 0


def _where_it_sits(hunk: Hunk, facts: Facts) -> int:
    stuck = facts.stuck
    if stuck is None or stuck.file != hunk.path:
        return 0
    return 100 if hunk.covers(stuck.line) else 30


def _names(hunk: Hunk, facts: Facts) -> int:
    names = missing_names(facts)
    if takes_away(hunk, names):
        module = PurePosixPath(hunk.path).stem
        return 90 if hunk.kind == "changed" or module in names else 60
    if hunk.kind == "deleted" and PurePosixPath(hunk.path).stem in names:
        return 90
    return 25 if any(_mentions(_text(hunk.new_lines), name) for name in names) else 0


def _fits_the_symptom(hunk: Hunk, facts: Facts) -> int:
    pattern = _telling(facts)
    new, old = _text(hunk.new_lines), _text(hunk.old_lines)
    if pattern is not None and pattern.search(new) and not pattern.search(old):
        return 50
    rejected = facts.symptom == Symptom.BAD_CONFIG and not facts.config_repairs
    return 50 if rejected and is_config(hunk.path) else 0


def _repairs_a_config(hunk: Hunk, facts: Facts) -> int:
    return 100 if hunk.id in facts.config_repairs else 0


def _serves_the_path(hunk: Hunk, facts: Facts) -> int:
    words = [w for w in re.split(r"[/?&=]", facts.pack.failure.path) if len(w) > 2 and w.isalpha()]
    stem = PurePosixPath(hunk.path).stem
    text = _text((*hunk.old_lines, *hunk.new_lines))
    return 15 if words and any(words[-1].rstrip("s") in place for place in (stem, text)) else 0


def _kind_of_file(hunk: Hunk, _facts: Facts) -> int:
    path = PurePosixPath(hunk.path)
    if path.suffix.lower() in _HARMLESS or path.name.startswith("test_"):
        return -20
    lines = (*hunk.old_lines, *hunk.new_lines)
    if path.suffix == ".py" and lines and all(_COMMENT.match(line) for line in lines):
        return -25
    return 10 if path.suffix == ".py" or is_config(hunk.path) else 0


def _telling(facts: Facts) -> re.Pattern[str] | None:
    if facts.symptom in {Symptom.SLOW, Symptom.TIMEOUT}:
        return _WAITS
    if facts.symptom == Symptom.RESOURCES:
        return _KEEPS.get(facts.pack.failure.error_type)
    return _ENDS if facts.process_is_gone else None


_RULES: tuple[_Points, ...] = (
    _on_the_line,
    _in_the_stack,
    _where_it_sits,
    _names,
    _fits_the_symptom,
    _repairs_a_config,
    _serves_the_path,
    _kind_of_file,
)
