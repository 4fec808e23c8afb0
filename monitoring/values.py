"""Plain values that the probe, the runtimes and the readers exchange. No Django here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Tree = Mapping[str, bytes]
"""A service's editable files: relative POSIX path to exact bytes."""


def storable(text: str) -> str:
    """Return a text that every database takes: PostgreSQL refuses NUL, which logs and answers may well contain."""
    return text.replace("\x00", "\ufffd")


class Health(StrEnum):
    """How a service is, as one probe or a run of probes judged it."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class Symptom(StrEnum):
    """What was seen, before anybody asked why."""

    NONE = ""
    NO_PROCESS = "no_process"
    STOPPED = "stopped"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    HTTP_ERROR = "http_error"
    BAD_CONFIG = "bad_config"
    WRONG_BODY = "wrong_body"
    SLOW = "slow"
    SUBSYSTEM = "subsystem"
    SUBSYSTEM_DOWN = "subsystem_down"
    WRONG_ANSWER = "wrong_answer"
    RESOURCES = "resources"


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """One request to a watched service. `path` includes the query; `body` is sent as it is."""

    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: either `status` is set, or `failure` says why nothing did.

    `failure` is "", "refused", "timeout", "reset", "too_large", "malformed" or "unreachable"; `body` is cut at
    the reader's byte limit, then `truncated` is true; `elapsed_ms` counts from the first byte sent.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    elapsed_ms: float = 0.0
    failure: str = ""
    truncated: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A judged probe: the health it proves and the facts that a fingerprint and a person need.

    `watch` names what looked when it was not a probe ("traffic", "resources"): only that can say that it is over.
    """

    health: Health
    symptom: Symptom = Symptom.NONE
    error_type: str = ""
    detail: str = ""
    traceback: str = ""
    method: str = "GET"
    path: str = ""
    status: int | None = None
    latency_ms: float = 0.0
    watch: str = ""


@dataclass(frozen=True, kw_only=True)
class ProcessState:
    """The process that serves, as its keeper or sandbox knows it.

    `phase` is "running", "stopped" (planned), "exited" (unplanned) or "absent". `signal` is a positive number when
    one ended it. `state` is the kernel's letter (R, S, T, Z, ...), empty where it cannot be had. `log_bytes` is the size of
    the present log file, which begins anew when it is rotated.
    """

    phase: str = "absent"
    pid: int | None = None
    started_at: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    generation: int = 0
    state: str = ""
    memory_bytes: int | None = None
    cpu_seconds: float | None = None
    open_files: int | None = None
    threads: int | None = None
    file_limit: int | None = None
    log_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class ServiceSpec:
    """All that a runtime, prober or sandbox needs to know of a service; built by `Service.spec()`."""

    id: int
    slug: str
    runtime: str
    directory: str
    command: tuple[str, ...]
    host: str
    port: int
    health_path: str
    timeout: float
    slow_ms: float
    editable_globs: tuple[str, ...]
    data_globs: tuple[str, ...]
    environment: Mapping[str, str]
    stop_with_agentops: bool = False

    @property
    def base_url(self) -> str:
        """Return the address without a trailing slash, e.g. `http://127.0.0.1:3000` or `blaxel://services:3000`."""
        return self.address(self.host, self.port, self.runtime)

    @staticmethod
    def address(host: str, port: int, runtime: str = "local") -> str:
        """Return the base address of a host and port; an IPv6 address gets its brackets.

        In another runtime than the local one the port lies inside it, and the prober knows the way there.
        """
        if runtime != "local":
            return f"{runtime}://services:{port}"
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
