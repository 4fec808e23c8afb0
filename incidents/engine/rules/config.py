"""Causes in configuration: a file that cannot be read, a changed value, a changed environment variable."""

from __future__ import annotations

import re

from incidents.engine.causes import Cause
from incidents.engine.configs import Broken, Changed, is_config
from incidents.engine.facts import Facts
from incidents.engine.rules.resources import is_no_answer
from incidents.values import Category
from monitoring.values import Symptom

_PARSE_ERRORS = frozenset(
    {
        "JSONDecodeError",
        "TOMLDecodeError",
        "ParsingError",
        "MissingSectionHeaderError",
        "ConfigError",
    }
    | {"DuplicateOptionError", "DuplicateSectionError", "UnicodeDecodeError"}
)


def broken_file(facts: Facts) -> Cause | None:
    """Return the config file that no longer parses, with the place of the change that broke it."""
    if not facts.broken_configs:
        return None
    broken = _most_likely(facts)
    line = _changed_line(facts, broken)
    seen = facts.symptom == Symptom.BAD_CONFIG or facts.process_is_gone
    named = _PARSE_ERRORS & {trace.name for trace in facts.chain} or broken.file in facts.said
    place = f", line {broken.line}" if broken.line else ""
    place += f", column {broken.column}" if broken.column else ""
    return Cause(
        category=Category.CONFIG,
        text=f"{broken.file} is not valid: {broken.error} (noticed at {broken.file}{place}).",
        certainty=0.95 if seen or named else 0.7,
        cites=("answer", "changes", "log"),
        file=broken.file,
        line=line,
    )


def environment(facts: Facts) -> Cause | None:
    """Return the changed environment variable that the error names."""
    named = [n for n in facts.changed_environment if _word_in(n, facts.said)]
    values = [n for n in facts.changed_environment if _value_named(facts, n)]
    alone = () if facts.hunks or _has_another_reason(facts) else facts.changed_environment
    names = named or values or alone
    if not names:
        return None
    gone = [n for n in names if n not in facts.pack.environment]
    how = "is no longer set" if gone else "has another value than in the last known good state"
    return Cause(
        category=Category.CONFIG,
        text=f"The environment variable {names[0]} {how}{_error(facts)}.",
        certainty=0.9 if named else 0.7,
        cites=("environment", "traceback", "answer"),
    )


def changed_value(facts: Facts) -> Cause | None:
    """Return the changed config value that the error names, or the only thing that changed at all."""
    culprit = facts.culprit
    if not facts.changed_values or (culprit is not None and culprit.on_changed_line):
        return None
    named = [change for change in facts.changed_values if _names(facts, change)]
    others = facts.code_hunks or facts.changed_environment or _has_another_reason(facts)
    only = () if others else facts.changed_values
    found = named or list(only)
    if not found:
        return None
    first = found[0]
    more = f" ({len(found) - 1} more values changed)" if len(found) > 1 else ""
    return Cause(
        category=Category.CONFIG,
        text=f"In {first.file}, {first.words()}{more} since last known good{_error(facts)}.",
        certainty=0.9 if named else (0.75 if len(found) == 1 else 0.55),
        cites=("config", "changes", "traceback", "answer"),
        file=first.file,
        line=first.line,
    )


def lost_file(facts: Facts) -> Cause | None:
    """Return the config file that was deleted or renamed, when the error names it or is about a missing file."""
    gone = [hunk for hunk in facts.hunks if hunk.kind == "deleted" and is_config(hunk.path)]
    for hunk in gone:
        name = hunk.path.rpartition("/")[2]
        if name in facts.said:
            return Cause(
                category=Category.CONFIG,
                text=f"{hunk.path} is gone since last known good{_error(facts)}.",
                certainty=0.9,
                cites=("config", "changes", "traceback", "answer"),
                file=hunk.path,
                line=1,
            )
    return None


def _most_likely(facts: Facts) -> Broken:
    named = [broken for broken in facts.broken_configs if broken.file in facts.said]
    return (named or list(facts.broken_configs))[0]


def _changed_line(facts: Facts, broken: Broken) -> int | None:
    """Return the line of the change whose reversal lets the file be parsed, else where the parser gave up.

    A parser notices a missing comma or quote only later, often in a line that nobody touched.
    """
    repairs = [h for h in facts.hunks if h.path == broken.file and h.id in facts.config_repairs]
    if not repairs or any(broken.line and hunk.covers(broken.line) for hunk in repairs):
        return broken.line
    return repairs[0].new_start + max(len(repairs[0].new_lines) - 1, 0)


def _has_another_reason(facts: Facts) -> bool:
    """Return whether what was seen explains itself, so that being the only change makes nothing suspicious."""
    return facts.was_killed or (facts.culprit is not None and is_no_answer(facts.culprit))


def _names(facts: Facts, change: Changed) -> bool:
    key = re.sub(r"\[\d+\]$", "", change.key).rpartition(".")[2]
    trail = [trace.message for trace in facts.chain]
    trail += [frame.code for trace in facts.chain for frame in trace.frames]
    text = "\n".join([*trail, facts.pack.failure.detail])
    if _word_in(key, text):
        return True
    value = str(change.new)
    return not change.removed and len(value) > 2 and value in text


def _value_named(facts: Facts, name: str) -> bool:
    value = facts.pack.environment.get(name, "")
    return len(value) > 2 and any(value in trace.message for trace in facts.chain)


def _word_in(word: str, text: str) -> bool:
    return len(word) > 1 and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _error(facts: Facts) -> str:
    culprit = facts.culprit
    if culprit is None:
        return ""
    message = f": {culprit.trace.message}" if culprit.trace.message else ""
    return f"; the service fails with {culprit.trace.name}{message}"[:300]
