"""Plain values of the pipeline: actions, evidence, drafts, receipts and verdicts. No Django here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from monitoring.values import Answer, HttpRequest, ProcessState, Tree


class Severity(StrEnum):
    """How bad it is, from what was measured; ordered from low to blocker by `rank`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
    BLOCKER = "blocker"

    @property
    def rank(self) -> int:
        """Return 0 for low up to 4 for blocker."""
        return list(Severity).index(self)


class Category(StrEnum):
    """What kind of thing broke."""

    CODE = "code"
    CONFIG = "config"
    CRASH = "crash"
    STARTUP = "startup"
    SLOW = "slow"
    HANG = "hang"
    DEPENDENCY = "dependency"
    RESOURCE = "resource"
    DATA = "data"
    WRONG_ANSWER = "wrong_answer"
    UNKNOWN = "unknown"


class BadActions(ValueError):
    """The given actions are not of the allowed kinds or shapes, or do not fit the files; the text says which and why.

    `index` is the place of the action at fault, None when it is all of them or their shape.
    """

    def __init__(self, message: str, *, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, kw_only=True)
class Restart:
    """Stop the process as planned and start it again."""

    kind: str = "restart"


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Replace `old`, which must stand exactly once in the file, by `new`."""

    path: str
    old: str
    new: str
    kind: str = "edit"


@dataclass(frozen=True, kw_only=True)
class Revert:
    """Put the named hunks of a file back to last known good; no hunks named means the whole file."""

    path: str
    hunks: tuple[str, ...] = ()
    kind: str = "revert"


@dataclass(frozen=True, kw_only=True)
class RevertEnvironment:
    """Put the named environment variables of the service back to last known good."""

    names: tuple[str, ...]
    kind: str = "revert_env"


Action = Restart | Edit | Revert | RevertEnvironment


def digest_of(value: Any) -> str:
    """Return the sha256 (hex) of a value's canonical JSON, so that equal meaning has one name."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()
    ).hexdigest()


def tree_digest(tree: Tree) -> str:
    """Return the digest of a tree: of each path with the digest of its bytes."""
    return digest_of({path: hashlib.sha256(data).hexdigest() for path, data in tree.items()})


def actions_to_json(actions: tuple[Action, ...]) -> list[dict[str, Any]]:
    """Return the actions as the API shows them."""
    return [asdict(action) for action in actions]


def actions_from_json(raw: object) -> tuple[Action, ...]:
    """Return typed actions from untrusted JSON, or raise `BadActions` that names the first fault."""
    if not isinstance(raw, list) or not raw:
        raise BadActions("actions must be a non-empty list of objects with a kind.")
    if len(raw) > 50:
        raise BadActions("at most 50 actions make one fix.")
    return tuple(_action(item, index) for index, item in enumerate(raw))


def _action(item: object, index: int) -> Action:
    if not isinstance(item, dict):
        raise BadActions(f"action {index} is not an object.")
    fields = {key: value for key, value in item.items() if key != "kind"}
    match item.get("kind"):
        case "restart":
            return Restart(**_only(fields, index, set()))
        case "edit":
            return Edit(**_texts(_only(fields, index, {"path", "old", "new"}), index))
        case "revert":
            checked = _only({"hunks": [], **fields}, index, {"path", "hunks"})
            return Revert(path=_text(checked["path"], index), hunks=_names(checked["hunks"], index))
        case "revert_env":
            return RevertEnvironment(names=_names(_only(fields, index, {"names"})["names"], index))
        case kind:
            raise BadActions(
                f"action {index}: kind {str(kind)[:40]!r} is not one of restart, edit, revert, revert_env."
            )


def _only(fields: dict[str, Any], index: int, names: set[str]) -> dict[str, Any]:
    if set(fields) != names:
        raise BadActions(f"action {index} needs exactly these fields: {sorted(names) or 'none'}.")
    return fields


def _text(value: object, index: int) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise BadActions(f"action {index}: a field is not text.")
    return value


def _texts(fields: dict[str, Any], index: int) -> dict[str, str]:
    return {key: _text(value, index) for key, value in fields.items()}


def _names(value: object, index: int) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise BadActions(f"action {index}: a list of texts is needed.")
    return tuple(value)


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
class DiagnosisDraft:
    """A cause with its place. `certainty` is 0..1; `cited` names evidence ids; `file` is relative to the service."""

    category: Category
    root_cause: str
    file: str = ""
    line: int | None = None
    plain: str = ""
    analogy: str = ""
    certainty: float = 0.5
    cited: tuple[str, ...] = ()
    ruled_out: tuple[str, ...] = ()
    author: str = "built-in"
    spent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FixDraft:
    """A proposed fix as typed actions; what it writes is computed by us, never by its author."""

    actions: tuple[Action, ...]
    explanation: str
    risks: str = ""
    author: str = "built-in"
    proved_minimal: bool = False


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


@dataclass(frozen=True, kw_only=True)
class ProposedChange:
    """What a reviewer judges: the exact files before and after, and the actions that lead there."""

    service: str
    actions: tuple[Action, ...]
    before: Tree
    after: Mapping[str, bytes | None]
    diff: str
    editable_globs: tuple[str, ...]
    author: str
    incident_reference: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing a reviewer objects to; `rule` is its stable name, `policy` the policy it breaks."""

    rule: str
    policy: str
    detail: str
    path: str = ""
    line: int | None = None
    severity: str = "high"


@dataclass(frozen=True, kw_only=True)
class SafetyVerdict:
    """A review's result. `passed` None means no verdict could be had; `score` is 0..1."""

    passed: bool | None
    score: float
    findings: tuple[Finding, ...] = ()
    policies: Mapping[str, bool] = field(default_factory=dict)
    reviewer: str = "built-in"
    session: str = ""
    note: str = ""
