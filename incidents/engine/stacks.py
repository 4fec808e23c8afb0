"""Stacks of a running process, as py-spy or faulthandler print them, and where a request is stuck in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from incidents.engine.culprits import Places
from incidents.engine.tracebacks import Frame

_SAMPLE = re.compile(r"Sample (?P<number>\d+)\s*$")
_SPY_THREAD = re.compile(r"Thread (?:0x)?[0-9A-Fa-f]+ \((?P<state>[^)]*)\)(?:: (?P<name>.*))?\s*$")
_SPY_FRAME = re.compile(r"\s+(?P<function>\S[^()]*?) \((?P<path>[^()]+?):(?P<line>\d+)\)\s*$")
_FAULT_THREAD = re.compile(r"(?:Current t|T)hread 0x[0-9a-f]+.*\(most recent call first\):\s*$")
_FAULT_FRAME = re.compile(r'\s*File "(?P<path>[^"]+)", line (?P<line>\d+) in (?P<function>.+?)\s*$')
_WAITS_FOR_WORK = frozenset(
    {"select", "serve_forever", "run_forever", "accept", "_worker", "run_once", "_run_once", "poll"}
)


@dataclass(frozen=True, kw_only=True)
class Thread:
    """One thread in one sample: `busy` None where the tool does not say; frames go from the innermost outwards."""

    busy: bool | None
    frames: tuple[Frame, ...]
    sample: int = 1


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """The place in the service where threads sit. `inner` are the library functions below it, innermost first.

    `threads` is the most that were seen there in one sample, `samples` in how many it was seen, `moving` whether it
    stood on different lines of the function from sample to sample, as a loop does and a thread that waits does not.
    """

    file: str
    line: int
    function: str
    threads: int
    busy: bool | None
    inner: tuple[str, ...]
    on_changed_line: bool
    sample: int = 1
    samples: int = 1
    moving: bool = False


def parse_stacks(text: str) -> tuple[Thread, ...]:
    """Return the threads of every sample in the text."""
    threads: list[tuple[int, bool | None, list[Frame]]] = []
    sample = 1
    for line in text[-400_000:].splitlines():
        if found := _SAMPLE.match(line):
            sample = int(found["number"])
        elif head := _SPY_THREAD.match(line):
            threads.append((sample, head["state"].startswith("active"), []))
        elif _FAULT_THREAD.match(line):
            threads.append((sample, None, []))
        elif threads and (found := _SPY_FRAME.match(line) or _FAULT_FRAME.match(line)):
            function = found["function"].rpartition(".")[2]
            threads[-1][2].append(
                Frame(path=found["path"], line=int(found["line"]), function=function)
            )
    return tuple(
        Thread(sample=number, busy=busy, frames=tuple(frames)) for number, busy, frames in threads
    )


def find_stuck(
    threads: Sequence[Thread], places: Places, changed: Callable[[str, int], bool]
) -> Stuck | None:
    """Return the service's line where most threads sit, one that changed first; None when all wait for work.

    Over several samples a function that is seen again and again wins over one that was merely passed.
    """
    found = [stuck for thread in threads if (stuck := _stuck_in(thread, places, changed))]
    if not found:
        return None
    seen_in = {(s.file, s.function): 0 for s in found}
    for file, function, _sample in {(s.file, s.function, s.sample) for s in found}:
        seen_in[file, function] += 1
    counts = Counter((s.file, s.line) for s in found)
    best = max(
        found,
        key=lambda s: (
            s.on_changed_line,
            seen_in[s.file, s.function],
            counts[s.file, s.line],
            s.busy is True,
        ),
    )
    return _over_samples(best, found)


def _over_samples(best: Stuck, found: Sequence[Stuck]) -> Stuck:
    """Return the place with what all samples say of its function."""
    same = [s for s in found if (s.file, s.function) == (best.file, best.function)]
    a_sample = Counter(s.sample for s in same)
    lines = {frozenset(s.line for s in same if s.sample == number) for number in a_sample}
    together = {
        "threads": max(a_sample.values()),
        "samples": len(a_sample),
        "moving": len(lines) > 1,
        "busy": best.busy if best.busy is None else any(s.busy for s in same),
    }
    return Stuck(**{**best.__dict__, **together})


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
        sample=thread.sample,
    )
