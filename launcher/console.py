"""What the launcher says, and how it fails."""

from __future__ import annotations

import contextlib
import sys
import time


class LauncherError(Exception):
    """Something that the person at the console can mend; the message says what and how."""


def say(text: str = "") -> None:
    """Print a line on standard output at once.

    A closed terminal (SIGHUP) or pipe must not keep the launcher from stopping its children, so a failed
    write is let go.
    """
    with contextlib.suppress(OSError, ValueError):
        print(text, flush=True)


def note(text: str) -> None:
    """Print a line on standard error: progress and complaints, so that the output of a command stays clean."""
    with contextlib.suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)


def event(text: str) -> None:
    """Print a line with the time of day: what happened to a process while the stack runs."""
    say(f"{time.strftime('%H:%M:%S')} {text}")


def indented(text: str) -> str:
    """Return the text with each line set off by four spaces, for log extracts inside a message."""
    return "\n".join(f"    {line}" for line in text.splitlines())
