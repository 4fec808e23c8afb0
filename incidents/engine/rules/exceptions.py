"""Causes that an uncaught exception tells: at start or in a request, with file and line."""

from __future__ import annotations

from incidents.engine.callees import Callee, changed_callee
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
# What code says that misses the result of somebody else.
_MISSES = frozenset(
    {
        "KeyError",
        "IndexError",
        "AttributeError",
        "TypeError",
        "UnboundLocalError",
        "Empty",
        "TimeoutError",
    }
    | {"RuntimeError", "CancelledError", "BrokenBarrierError", "InvalidStateError"}
)


def at_start(facts: Facts) -> Cause | None:
    """Return why the service cannot start: code that does not compile or import, or that raises on the way up."""
    culprit = facts.culprit
    if culprit is None:
        return None
    on_the_way_up = facts.process_is_gone or facts.symptom == Symptom.REFUSED
    answers = bool(facts.pack.failure.status)  # whoever answers, if only with an error, has started
    if not on_the_way_up and (culprit.trace.name not in _AT_START or answers):
        return None
    return _cause(facts, culprit, Category.STARTUP, "The service cannot start")


def in_the_background(facts: Facts) -> Cause | None:
    """Return the exception that ended a thread or task whose work a request then misses, or waits for.

    Only one on a line that changed: what a background failure of long ago has to do with this one nobody can say.
    """
    ended, own = facts.background, facts.culprit
    if ended is None or not ended.on_changed_line or facts.process_is_gone:
        return None
    speaks_for_itself = own is not None and own.on_changed_line and own.trace.name not in _MISSES
    if speaks_for_itself or (own is not None and (own.file, own.line) == (ended.file, ended.line)):
        return None
    message = f": {ended.trace.message}" if ended.trace.message else ""
    shown = f" The request then fails with {own.trace.name}." if own else ""
    return Cause(
        category=Category.CODE,
        text=f"A thread or task in the background ended with {ended.trace.name}{message} at line {ended.line} of "
        f"{ended.file}, which changed since last known good: {ended.code[:120]}.{shown}",
        certainty=0.8,
        cites=("log", "traceback", "answer", "changes"),
        file=ended.file,
        line=ended.line,
    )


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
    text = f"{what} with {culprit.trace.name}{message}{where}{function}."
    cites = ("traceback", "source", "answer", "log", *(("changes",) if facts.hunks else ()))
    if feeder is None and remover is None and not culprit.on_changed_line:
        callee = changed_callee(facts)
        if callee is not None:
            return _called(category, text, callee, cites)
    return Cause(
        category=category,
        text=text + (_fed(culprit, feeder) if feeder else _why(facts, culprit, remover)),
        certainty=0.85 if feeder else _certainty(facts, culprit, remover),
        cites=cites,
        file=culprit.file,
        line=feeder.line if feeder else culprit.line,
    )


def _called(category: Category, text: str, callee: Callee, cites: tuple[str, ...]) -> Cause:
    place = f"line {callee.line} of {callee.file}"
    return Cause(
        category=category,
        text=f"{text} That line has not changed; {callee.what} has, at {place}: {callee.code[:120]}",
        certainty=0.7,
        cites=cites,
        file=callee.file,
        line=callee.line,
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
