"""Causes that an uncaught exception tells: at start or in a request, with file and line."""

from __future__ import annotations

from incidents.engine.causes import Cause
from incidents.engine.culprits import Culprit
from incidents.engine.facts import Facts
from incidents.engine.feeders import Feeder, feeder_of
from incidents.engine.hunks import Hunk
from incidents.engine.suspects import missing_names, ranked, takes_away
from incidents.values import Category
from monitoring.values import Symptom

_AT_START = frozenset(
    {"SyntaxError", "IndentationError", "TabError", "ImportError", "ModuleNotFoundError"}
)
_DATA = frozenset(
    {"IntegrityError", "DatabaseError", "DataError", "UnicodeDecodeError", "BadZipFile"}
)


def at_start(facts: Facts) -> Cause | None:
    """Return why the service cannot start: code that does not compile or import, or that raises on the way up."""
    culprit = facts.culprit
    if culprit is None:
        return None
    on_the_way_up = facts.process_is_gone or facts.symptom == Symptom.REFUSED
    if culprit.trace.name not in _AT_START and not on_the_way_up:
        return None
    return _cause(facts, culprit, Category.STARTUP, "The service cannot start")


def in_a_request(facts: Facts) -> Cause | None:
    """Return the exception that a request ran into."""
    culprit = facts.culprit
    if culprit is None:
        return None
    unchanged_data = culprit.trace.name in _DATA and not facts.code_hunks
    category = Category.DATA if unchanged_data else Category.CODE
    return _cause(facts, culprit, category, "A request fails")


def _cause(facts: Facts, culprit: Culprit, category: Category, what: str) -> Cause:
    message = f": {culprit.trace.message}" if culprit.trace.message else ""
    where = f" at line {culprit.line} of {culprit.file}" if culprit.file else ""
    function = f" ({culprit.function})" if culprit.function not in {"", "<module>"} else ""
    remover = _remover(facts)
    feeder = feeder_of(facts, culprit) if remover is None else None
    because = _fed(culprit, feeder) if feeder else _why(facts, culprit, remover)
    return Cause(
        category=category,
        text=f"{what} with {culprit.trace.name}{message}{where}{function}.{because}",
        certainty=0.85 if feeder else _certainty(facts, culprit, remover),
        cites=("traceback", "source", "answer", "log", *(("changes",) if facts.hunks else ())),
        file=culprit.file,
        line=feeder.line if feeder else culprit.line,
    )


def _fed(culprit: Culprit, feeder: Feeder) -> str:
    place = f"line {feeder.line} of {culprit.file}"
    shown = feeder.code.strip()[:120]
    return f" What it uses there, {feeder.name}, changed since last known good, at {place}: {shown}"


def _remover(facts: Facts) -> Hunk | None:
    names = missing_names(facts)
    return next((hunk for hunk in ranked(facts) if takes_away(hunk, names)), None)


def _why(facts: Facts, culprit: Culprit, remover: Hunk | None) -> str:
    if culprit.on_changed_line:
        return f" That line changed since last known good: {culprit.code[:120]}".rstrip(": ")
    if remover is not None:
        place = f"line {remover.new_start} of {remover.path}"
        return f" What it misses was taken away since last known good, at {place}."
    if facts.nothing_changed:
        return " Nothing changed since last known good: new input or data reached a weakness that was there before."
    return ""


def _certainty(facts: Facts, culprit: Culprit, remover: Hunk | None) -> float:
    if not culprit.file:
        return 0.4
    if culprit.on_changed_line:
        return 0.95
    if remover is not None:
        return 0.9
    if facts.nothing_changed:
        return 0.6
    return 0.8 if any(hunk.path == culprit.file for hunk in facts.hunks) else 0.7
