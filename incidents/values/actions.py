"""What a fix may do: typed actions, and how they are read from untrusted JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


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
