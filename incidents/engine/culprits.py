"""Which frame of a traceback is to blame: the service's own code, not the library that noticed."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from incidents.engine.tracebacks import Frame, Trace, last_chain, root

_LIBRARY = re.compile(
    r"/(?:site|dist)-packages/|/lib(?:64)?/python\d|/python\d[\d.]*/lib/|^<", re.I
)


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """The place to look at. `file` is relative to the service, "" when none of its editable files took part."""

    trace: Trace
    file: str
    line: int | None
    function: str
    code: str
    on_changed_line: bool


class Places:
    """Maps paths as a process printed them to the service's own files.

    A trial or a container prints other folders than the live service; then the longest file of the service that
    the printed path ends with is meant. Library paths never match by their end: a service has its own `decoder.py`.
    """

    def __init__(self, directory: str, files: Collection[str]) -> None:
        self._directory = directory.rstrip("/")
        self._files = frozenset(files)

    def locate(self, path: str) -> str:
        """Return the service's file for a printed path, or "" when it is none of its files."""
        path = posixpath.normpath(path.replace("\\", "/"))
        if self._directory and path.startswith(self._directory + "/"):
            path = path[len(self._directory) + 1 :]
        if path in self._files:
            return path
        if is_library(path):
            return ""
        parts = path.split("/")
        endings = ("/".join(parts[start:]) for start in range(1, len(parts)))
        return next((ending for ending in endings if ending in self._files), "")


def is_library(path: str) -> bool:
    """Return whether a printed path is of the standard library, an installed package or no file at all."""
    return _LIBRARY.search(path.replace("\\", "/")) is not None


def find_culprit(
    traces: Sequence[Trace], places: Places, changed: Callable[[str, int], bool]
) -> Culprit | None:
    """Return the frame to blame for the last printed chain of exceptions; None when there is no exception.

    A frame on a line that changed since last known good wins, innermost first, the root's before the others': who
    changed the call is to blame, not the unchanged helper that complains. Without one it is the root's innermost
    frame in the service.
    """
    first = root(traces)
    if first is None:
        return None
    ordered = [first, *(trace for trace in reversed(last_chain(traces)) if trace is not first)]
    own = [(t, frame, file) for t in ordered for frame, file in _own_frames(t, places)]
    for trace, frame, file in own:
        if changed(file, frame.line):
            return _culprit(trace, frame, file, changed=True)
    if own:
        return _culprit(*own[0], changed=False)
    return Culprit(trace=first, file="", line=None, function="", code="", on_changed_line=False)


def _own_frames(trace: Trace, places: Places) -> list[tuple[Frame, str]]:
    located = [(frame, places.locate(frame.path)) for frame in reversed(trace.frames)]
    return [(frame, file) for frame, file in located if file]


def _culprit(trace: Trace, frame: Frame, file: str, *, changed: bool) -> Culprit:
    return Culprit(
        trace=trace,
        file=file,
        line=frame.line,
        function=frame.function,
        code=frame.code,
        on_changed_line=changed,
    )
