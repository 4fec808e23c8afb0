"""Finds the error in an answer, in whatever shape a framework wrote it. Pure text; all of it is untrusted data."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import Any

from monitoring.values import Answer

MAX_DETAIL = 500
MAX_TRACEBACK = 20_000
_TRACEBACK = re.compile(
    r"Traceback \(most recent call last\):\n(?:.*\n)*?(?P<last>[A-Za-z_][\w.]*(?:: .*)?)(?=\n|$)"
)
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line \d+, in (?P<function>\S+)')
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class FoundError:
    """What an answer says of its error; each part is empty where the answer is silent."""

    type: str = ""
    detail: str = ""
    traceback: str = ""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was found."""
        return not (self.type or self.detail or self.traceback)


NOTHING = FoundError()


def json_body(answer: Answer) -> Any:
    """Return the parsed body; raises ValueError when it is not JSON (or nested too deep to be read)."""
    try:
        return json.loads(answer.body)
    except (UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error


def find_error(answer: Answer) -> FoundError:
    """Return the error that the body describes: JSON in the usual shapes, an HTML page, or plain text."""
    try:
        found = error_in_json(json_body(answer))
    except ValueError:
        return _in_text(answer.body.decode("utf-8", "replace"))
    return found


def error_in_json(body: Any) -> FoundError:
    """Return the error in parsed JSON.

    Knows {"error": {type, detail, traceback}}, {"error": "text"}, {"detail"}, {"message"}, problem details (RFC 9457:
    title and detail) and {"errors": [...]}.
    """
    if isinstance(body, str):
        return _in_text(body)
    if not isinstance(body, dict):
        return NOTHING
    nested = body.get("error") or body.get("exception") or body.get("errors")
    if isinstance(nested, list) and nested:
        nested = nested[0]
    if isinstance(nested, dict):
        return _described(nested)
    found = _described(body)
    if isinstance(nested, str) and not found.detail:
        return _made(type_=found.type, detail=nested, traceback=found.traceback)
    if isinstance(nested, str) and re.fullmatch(r"[A-Za-z_][\w.]*", nested):
        return _made(type_=nested, detail=found.detail, traceback=found.traceback)
    return found


def last_frame(traceback: str) -> str:
    """Return `file:function` of the innermost frame: where it broke, without a line number that edits would move."""
    frames = _FRAME.findall(traceback)
    if not frames:
        return ""
    file, function = frames[-1]
    return f"{file.rsplit('/', 1)[-1]}:{function}"


def _described(fields: dict[str, Any]) -> FoundError:
    traceback = _first_text(fields, "traceback", "trace", "stack", "stacktrace")
    return _made(
        type_=_first_text(fields, "type", "exception", "name", "class", "code"),
        detail=_first_text(fields, "detail", "message", "msg", "description", "reason", "title"),
        traceback=traceback,
    )


def _made(*, type_: str, detail: str, traceback: str) -> FoundError:
    """Return the error, with type and detail read from the traceback where they were not said."""
    match = _TRACEBACK.search(traceback)
    last_type, _, last_detail = match["last"].partition(": ") if match else ("", "", "")
    if type_.startswith(
        ("http://", "https://", "about:")
    ):  # a problem type is an address, not a name
        type_ = ""
    return FoundError(
        type=(type_ or last_type)[:120],
        detail=(detail or last_detail).strip()[:MAX_DETAIL],
        traceback=traceback[-MAX_TRACEBACK:],
    )


def _first_text(fields: dict[str, Any], *names: str) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, list) and value and name in {"traceback", "trace", "stack"}:
            return "".join(str(line) for line in value)
        if value and isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value)
        if value and isinstance(value, (list, dict)):
            return json.dumps(value)
    return ""


def _in_text(text: str) -> FoundError:
    """Return the error of a page or of plain text: its traceback, else its title or first words."""
    is_page = "<html" in text[:2000].lower() or "<!doctype html" in text[:200].lower()
    plain = html.unescape(_TAG.sub("", text)) if is_page else text
    match = _TRACEBACK.search(plain)
    if match:
        return _made(type_="", detail="", traceback=match[0])
    title = _TITLE.search(text) if is_page else None
    words = html.unescape(title[1]) if title else plain
    return FoundError(detail=" ".join(words.split())[:MAX_DETAIL])
