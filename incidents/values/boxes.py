"""What a sandbox is to start, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitoring.values import Tree


@dataclass(frozen=True, kw_only=True)
class BoxPlan:
    """What a sandbox is to start: a complete tree (never a link to the live one) and its start command.

    `data_from` is the live service's directory from which `data_globs` are copied consistently; `command` holds
    `{port}` where the port goes; limits are seconds and bytes. With `patience` a copy that takes a health request and
    does not answer it for so many seconds counts as hung, without waiting for the whole `start_timeout`. `helpers` are
    further files of `data_from`: what check commands consist of.
    """

    name: str
    tree: Tree
    data_from: str
    data_globs: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health_path: str
    start_timeout: float = 8.0
    wall_seconds: float = 60.0
    memory_bytes: int = 1_000_000_000
    runtime_directory: str = ""
    patience: float | None = None
    helpers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StartUp:
    """How a start in a sandbox went; `answered` is true when the port answered a request in time.

    `hung` is true when it took the health request and did not answer within the plan's patience.
    """

    answered: bool
    seconds: float
    exit_code: int | None = None
    signal: int | None = None
    log_tail: str = ""
    hung: bool = False


@dataclass(frozen=True, kw_only=True)
class BoxUsage:
    """What the sandboxed process used, and the files it wrote outside its data globs."""

    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    open_files: int | None = None
    log_bytes: int | None = None
    written_outside_data: tuple[str, ...] = ()
    data_digest: str = ""
