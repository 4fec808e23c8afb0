"""Clear away what a killed launcher leaves behind.

    python guard.py [COMMAND ...]

The launcher starts this beside its children and tells it on standard input which process groups exist: "+123",
"-123", and "done" at an orderly end. When the input closes without "done", the launcher was killed: every group
still there is killed, and then COMMAND is run (it stops the watched services). A pipe works on every system and
reaches grandchildren, which Linux' parent-death signal does not. This file runs by itself: it imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

CLEAN_UP_LIMIT = 10.0


class Guard:
    """The launcher's side: starts the guard and tells it what runs.

    `lock` is the descriptor of a lock that passes to the guard alone, so that the next start can wait until
    everything of this one is gone.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, env: Mapping[str, str], lock: int
    ) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - this very file
                [sys.executable, "-I", __file__, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=dict(env),
                start_new_session=True,
                pass_fds=(lock,),
            )
        os.close(lock)

    def tell(self, line: str) -> None:
        """Pass on one line; a guard that somebody killed is done without."""
        if self._process.stdin and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()

    def dismiss(self) -> None:
        """Let it go without a deed after an orderly end."""
        self.tell("done")
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=2)


def follow(lines: Iterable[str]) -> set[int] | None:
    """Return the groups left when the input closes, or None after an orderly end."""
    groups: set[int] = set()
    for line in lines:
        word = line.strip()
        if word == "done":
            return None
        if word.startswith("+"):
            groups.add(int(word[1:]))
        elif word.startswith("-"):
            groups.discard(int(word[1:]))
    return groups


def clear(groups: Iterable[int], command: Sequence[str]) -> None:
    """Kill the groups, then run the command within its limit."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    if command:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(list(command), timeout=CLEAN_UP_LIMIT, check=False)  # noqa: S603


def main() -> None:
    # A service manager signals every process it knows at once; the launcher decides when we may end.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups = follow(sys.stdin)
    if groups is not None:
        clear(groups, sys.argv[1:])


if __name__ == "__main__":
    main()
