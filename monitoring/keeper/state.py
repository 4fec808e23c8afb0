"""What a keeper writes down about its service: `state.json`, replaced whole."""

from __future__ import annotations

import json
import os
import typing
from pathlib import Path

ABSENT, RUNNING, STOPPED, EXITED = "absent", "running", "stopped", "exited"


class State(typing.NamedTuple):
    """One moment of a service. A dataclass would cost every keeper the import of `inspect`.

    `planned` is set before the process is told to end, so that whoever sees it end first already knows that it was
    meant. `generation` counts the attempts to start. Marks are those of `identity.mark`; times are Unix seconds.
    """

    phase: str = ABSENT
    planned: bool = False
    generation: int = 0
    pid: int | None = None
    pid_mark: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    error: str = ""
    keeper_pid: int | None = None
    keeper_mark: str = ""


def read_state(folder: Path) -> State:
    """Return the last state that a keeper wrote; the absent one when there is none or it cannot be understood."""
    try:
        found = json.loads((folder / "state.json").read_bytes())
        return State(**{key: found[key] for key in State._fields if key in found})
    except (OSError, ValueError, TypeError):
        return State()


def write_state(folder: Path, state: State) -> None:
    """Replace state.json in one step. Raises OSError when the disk does."""
    write_whole(folder / "state.json", json.dumps(state._asdict()).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file of the run folder so that no reader sees half of it (it need not outlive a power cut)."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.replace(path)
