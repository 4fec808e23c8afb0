"""The isolation levels, and which of them this machine really offers."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How a trial is walled in, best first. What each cannot stop: `KNOWN_GAPS`."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    RLIMITS = "rlimits"


KNOWN_GAPS: dict[Level, tuple[str, ...]] = {
    Level.NAMESPACES: ("kernel bugs: it shares the host's kernel",),
    Level.LANDLOCK: (
        "kernel bugs: it shares the host's kernel",
        "file names and sizes can be asked for by stat",
        "abstract unix sockets before ABI 6 on machines other than x86_64",
        "UDP and unix sockets on machines other than x86_64 (no seccomp table)",
    ),
    Level.RLIMITS: (
        "reads every file that its user may read, and writes what its user may write",
        "reaches every port and socket of the host",
        "signals and reads processes of the same user",
    ),
}
