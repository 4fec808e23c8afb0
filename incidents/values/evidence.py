"""What is known of a failure when the diagnosis starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incidents.values.actions import Action
from monitoring.values import Answer, HttpRequest, ProcessState, Tree


@dataclass(frozen=True, kw_only=True)
class EvidenceItem:
    """One piece of evidence. `id` (e.g. "E3") is what a diagnosis cites; `body` is bounded and redacted text."""

    id: str
    kind: str
    title: str
    body: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The failing observation that opened the incident (a judged probe or a process exit)."""

    symptom: str
    error_type: str = ""
    detail: str = ""
    traceback: str = ""
    method: str = "GET"
    path: str = ""
    status: int | None = None
    latency_ms: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What people said of earlier proposals: fixes to leave out (by digest) and requests in words."""

    refused_digests: frozenset[str] = frozenset()
    requests: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Workbench:
    """What a diagnostician may do besides reading. Both start a copy in isolation and never touch the live service.

    `ask` sends one request to a copy of the service as it is. `attempt` tries actions on a copy and says in words
    how that went. Neither raises: a copy that cannot be had is an answer with a failure, or words that say so.
    """

    ask: Callable[[HttpRequest], Answer]
    attempt: Callable[[tuple[Action, ...]], str]


@dataclass(frozen=True, kw_only=True)
class EvidencePack:
    """All that is known of a failure when the diagnosis starts. Trees hold exact bytes, never redacted.

    `protected` are files that no fix may change although the globs allow it. `incident_id` and `attempt` say which run of the pipeline asks, so that a conversation is kept and paid for once.
    """

    service: str
    directory: str
    is_python: bool
    failure: Failure
    items: tuple[EvidenceItem, ...]
    process: ProcessState
    log_tail: str
    stacks: str
    current: Tree
    last_good: Tree | None
    environment: Mapping[str, str]
    last_good_environment: Mapping[str, str] | None
    editable_globs: tuple[str, ...]
    protected: tuple[str, ...] = ()
    failing: tuple[Exchange, ...] = ()
    good: tuple[Exchange, ...] = ()
    similar: tuple[Mapping[str, Any], ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)
    incident_id: int | None = None
    attempt: int = 1
    wishes: Wishes = field(default_factory=Wishes)
    workbench: Workbench | None = None


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A recorded request with the answer that was seen (`expected`), and whether it was good.

    `order` is its place among all that was recorded, failing and good; None when it was not recorded.
    """

    request: HttpRequest
    expected: Answer | None = None
    good: bool = True
    source: str = "smoke"
    order: int | None = None
