"""Stacks of a running process, as py-spy or faulthandler print them, and where a request is stuck in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from incidents.engine.culprits import Places
from incidents.engine.tracebacks import Frame

_SPY_THREAD = re.compile(r"Thread (?:0x)?[0-9A-Fa-f]+ \((?P<state>[^)]*)\)(?:: (?P<name>.*))?\s*$")
_SPY_FRAME = re.compile(r"\s+(?P<function>\S[^()]*?) \((?P<path>[^()]+?):(?P<line>\d+)\)\s*$")
_FAULT_THREAD = re.compile(r"(?:Current t|T)hread 0x[0-9a-f]+.*\(most recent call first\):\s*$")
_FAULT_FRAME = re.compile(r'\s*File "(?P<path>[^"]+)", line (?P<line>\d+) in (?P<function>.+?)\s*$')
_WAITS_FOR_WORK = frozenset(
    {"select", "serve_forever", "run_forever", "accept", "_worker", "run_once", "_run_once", "poll"}
)


@dataclass(frozen=True, kw_only=True)
class Thread:
    """One thread: `busy` None where the tool does not say; frames go from the innermost outwards."""

    busy: bool | None
    frames: tuple[Frame, ...]


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """The place in the service where threads sit. `inner` are the library functions below it, innermost first."""

    file: str
    line: int
    function: str
    threads: int
    busy: bool | None
    inner: tuple[str, ...]
    on_changed_line: bool


def parse_stacks(text: str) -> tuple[Thread, ...]:
    """Return the threads of every sample in the text."""
    threads: list[tuple[bool | None, list[Frame]]] = []
    for line in text[-400_000:].splitlines():
        if head := _SPY_THREAD.match(line):
            threads.append((head["state"].startswith("active"), []))
        elif _FAULT_THREAD.match(line):
            threads.append((None, []))
        elif threads and (found := _SPY_FRAME.match(line) or _FAULT_FRAME.match(line)):
            function = found["function"].rpartition(".")[2]
            threads[-1][1].append(
                Frame(path=found["path"], line=int(found["line"]), function=function)
            )
    return tuple(Thread(busy=busy, frames=tuple(frames)) for busy, frames in threads)


def find_stuck(
    threads: Sequence[Thread], places: Places, changed: Callable[[str, int], bool]
) -> Stuck | None:
    """Return the service's line where most threads sit, one that changed first; None when all wait for work.

    Over several samples a place that is seen again and again wins over one that was merely passed.
    """
    found = [stuck for thread in threads if (stuck := _stuck_in(thread, places, changed))]
    if not found:
        return None
    counts = Counter((stuck.file, stuck.line) for stuck in found)
    best = max(found, key=lambda s: (s.on_changed_line, counts[s.file, s.line], s.busy is True))
    return Stuck(**{**best.__dict__, "threads": counts[best.file, best.line]})


def _stuck_in(thread: Thread, places: Places, changed: Callable[[str, int], bool]) -> Stuck | None:
    located = [(frame, places.locate(frame.path)) for frame in thread.frames]
    own = [index for index, (_frame, file) in enumerate(located) if file]
    if not own:
        return None
    inner = tuple(frame.function for frame, _file in located[: own[0]])
    if _WAITS_FOR_WORK & set(inner) and not thread.busy:
        return None
    at = next((i for i in own if changed(located[i][1], located[i][0].line)), own[0])
    frame, file = located[at]
    return Stuck(
        file=file,
        line=frame.line,
        function=frame.function,
        threads=1,
        busy=thread.busy,
        inner=inner,
        on_changed_line=changed(file, frame.line),
    )
