"""Python tracebacks in answers and logs, read as data. Nothing of them is trusted beyond their shape."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from incidents.engine.traceback_text import HEADER, readable_lines, same_shape_prefix

MAX_MESSAGE = 500

_FRAME = re.compile(
    r'\s*File "(?P<path>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?\s*$'
)
_START = re.compile(
    r"(?P<prefix>.*?)(?:(?:  \+ Exception Group )?Traceback \(most recent call last\):"
    r'|  File "[^"\n]+", line \d+\s*$)'
)
_ERROR = re.compile(
    r"(?P<type>[A-Za-z_]\w*(?:\.(?:[A-Za-z_]\w*|<locals>))*)(?::\s?(?P<message>.*))?$"
)
_CARET = re.compile(r"\s*[~^]+\s*$")
_GROUP_BAR = re.compile(r"\s*\| ?")
_GROUP_RULE = re.compile(r"\s*\+(?:-\+)?-{5,}")
_RELATIONS = {
    "The above exception was the direct cause of the following exception:": "cause",
    "During handling of the above exception, another exception occurred:": "context",
}
_HANDLER_BUGS = frozenset(
    {"NameError", "UnboundLocalError", "AttributeError", "TypeError", "ImportError"}
    | {"ModuleNotFoundError", "IndexError", "KeyError"}
)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One call: the path as printed, the line, the function ("" in a syntax error) and its source line."""

    path: str
    line: int
    function: str = ""
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One exception. `relation` to the one printed before it: "", "cause", "context" or "group" (a member)."""

    type: str
    message: str
    frames: tuple[Frame, ...]
    relation: str = ""
    column: int | None = None

    @property
    def name(self) -> str:
        """Return the type without its module, e.g. `KeyError`."""
        return self.type.rpartition(".")[2]

    @property
    def is_syntax_error(self) -> bool:
        """Return whether the last frame is the place that could not be compiled."""
        return bool(self.frames) and not self.frames[-1].function


@dataclass
class _Open:
    relation: str
    frames: list[Frame] = field(default_factory=list)
    column: int | None = None


def parse(text: str) -> tuple[Trace, ...]:
    """Return every exception of the text, in the order in which it was printed; a torn traceback is left out."""
    reader = _Reader()
    for line in readable_lines(text):
        reader.take(line)
    return tuple(reader.found)


def root(traces: Sequence[Trace]) -> Trace | None:
    """Return the exception that the last printed chain goes back to.

    Of a group it is the first member. A bug inside an `except` block is its own root; any other exception that was
    raised while another was handled merely passes that one on.
    """
    chain = last_chain(traces)
    if not chain:
        return None
    members = [trace for trace in chain if trace.relation == "group"]
    if members:
        return members[0]
    at = len(chain) - 1
    while at and not (chain[at].relation == "context" and chain[at].name in _HANDLER_BUGS):
        at -= 1
    return chain[at]


def last_chain(traces: Sequence[Trace]) -> tuple[Trace, ...]:
    """Return the exceptions that belong to the one printed last: its causes, contexts and group members."""
    start = len(traces) - 1
    while start > 0 and traces[start].relation:
        start -= 1
    return tuple(traces[max(start, 0) :])


def _relation(body: str) -> str:
    text = body.rstrip()
    return next((name for words, name in _RELATIONS.items() if text.endswith(words)), "")


class _Reader:
    """Takes lines one by one; holds at most one unfinished traceback."""

    def __init__(self) -> None:
        self.found: list[Trace] = []
        self._open: _Open | None = None
        self._relation = ""
        self._prefix = ""
        self._member_starts = False

    def take(self, line: str) -> None:
        line = self._without_prefix(line)
        in_group = _GROUP_BAR.match(line)
        body = line[in_group.end() :] if in_group else line
        if _GROUP_RULE.match(line):
            self._open, self._member_starts = None, True
        elif relation := _relation(body):
            self._open, self._relation = None, relation
        elif HEADER in body:
            self._begin(member=bool(in_group))
        elif found := _FRAME.match(body):
            self._frame(found, member=bool(in_group))
        elif self._open is not None:
            self._inside(self._open, body)
        elif self._member_starts and body.strip():
            self._bare_member(body)

    def _begin(self, *, member: bool) -> None:
        self._open = _Open(self._relation or ("group" if member else ""))
        self._relation, self._member_starts = "", False

    def _without_prefix(self, line: str) -> str:
        if same_shape_prefix(self._prefix, line):
            return line[len(self._prefix) :]
        start = _START.match(line)
        if start and not _GROUP_BAR.match(line):
            self._prefix = start["prefix"]
        return line[len(start["prefix"]) :] if start else line

    def _frame(self, found: re.Match[str], *, member: bool) -> None:
        function = (found["function"] or "").strip()
        if self._open is None:
            if function:
                return  # a frame without its header: the start of the log was cut in the middle of a traceback
            self._open = _Open(self._relation or ("group" if member else ""))
            self._relation = ""
        self._open.frames.append(
            Frame(path=found["path"], line=int(found["line"]), function=function)
        )

    def _inside(self, trace: _Open, body: str) -> None:
        if not body.strip():
            return
        if body[0] in " \t":
            self._source(trace, body)
            return
        error = _ERROR.match(body.rstrip())
        if error and trace.frames:
            self._finish(error, trace)
        self._open = None

    def _source(self, trace: _Open, body: str) -> None:
        if not trace.frames:
            return
        last = trace.frames[-1]
        if _CARET.match(body):
            indent = 4 if body.startswith("    ") else 0
            trace.column = len(body) - len(body.lstrip()) - indent + 1
        elif not last.code:
            trace.frames[-1] = Frame(
                path=last.path, line=last.line, function=last.function, code=body.strip()
            )

    def _bare_member(self, body: str) -> None:
        error = _ERROR.match(body.rstrip())
        if error:
            self._finish(error, _Open("group"))
        self._member_starts = False

    def _finish(self, error: re.Match[str], trace: _Open) -> None:
        made = Trace(
            type=error["type"],
            message=(error["message"] or "")[:MAX_MESSAGE],
            frames=tuple(trace.frames),
            relation=trace.relation,
        )
        if made.is_syntax_error:
            made = Trace(**{**made.__dict__, "column": trace.column})
        self.found.append(made)
