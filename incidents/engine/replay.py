"""Compares replayed answers with what last known good answers, apart from what differs at every call anyway."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from monitoring.values import Answer

MAX_DIFFERENCES = 50
_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*$")
# Two replays within one second agree on these, a third one a second later does not.
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|UTC|[+-]\d\d:?\d\d)?$"
    r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$"
)
_TICKING = re.compile(
    r"uptime|elapsed|latency|response_time|timestamp|(?:^|_)(?:ts|now|pid|took|ms)$|_at$",
    re.IGNORECASE,
)
_ABSENT = object()


@dataclass(frozen=True, kw_only=True)
class Mask:
    """What two replays of the same version answer differently.

    `paths` are JSON paths (list indices as `[*]`) whose value differs but keeps its type; `free` are those that also
    change their type or come and go; `lines` are line numbers of a text; `whole` is true when nothing of the body can
    be compared, `unstable` when not even the status is the same.
    """

    paths: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    lines: frozenset[int] = frozenset()
    whole: bool = False
    unstable: bool = False

    @property
    def blind(self) -> bool:
        """Return whether nothing of the body is compared; a JSON value as a whole is such a body, too."""
        return self.whole or self.unstable or "$" in self.paths | self.free

    def words(self) -> str:
        """Return what is not compared, for a receipt; "" when everything is."""
        if self.unstable:
            return "the service answers with another status at every call"
        if self.blind:
            return "the whole body differs at every call"
        told = sorted(self.paths | self.free) + [f"line {n}" for n in sorted(self.lines)]
        return ", ".join(told[:20])


NO_MASK = Mask()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference; `where` is a JSON path, "line N", "status", "content type" or "body"."""

    where: str
    expected: str
    actual: str
    changes_type: bool = False

    def __str__(self) -> str:
        """Return it in words, short enough for a receipt."""
        return f"{self.where}: expected {self.expected}, got {self.actual}"


def learn_mask(one: Answer, other: Answer) -> Mask:
    """Return what differs between two replays of last known good and therefore proves nothing in a trial."""
    if one.status != other.status or one.failure or other.failure:
        return Mask(unstable=True, whole=True)
    left, right = _json(one), _json(other)
    if left is not _ABSENT and right is not _ABSENT:
        found = list(_in_json(left, right, "$", "$"))
        return Mask(
            paths=frozenset(pattern for pattern, d in found if not d.changes_type),
            free=frozenset(pattern for pattern, d in found if d.changes_type),
        )
    lines = [n for n, _a, _b in _in_text(one.body, other.body)]
    return Mask(whole=True) if 0 in lines else Mask(lines=frozenset(lines))


def compare(expected: Answer, actual: Answer, mask: Mask = NO_MASK) -> list[Difference]:
    """Return what differs, at most 50 entries; an empty list means that the answers are the same under the mask."""
    if actual.failure:
        seen = f"status {expected.status}" if expected.status else expected.failure
        return [Difference(where="status", expected=seen, actual=f"no answer ({actual.failure})")]
    if mask.unstable:
        return _server_error(expected, actual)
    if expected.status != actual.status:
        return [
            Difference(where="status", expected=str(expected.status), actual=str(actual.status))
        ]
    kinds = _media_type(expected), _media_type(actual)
    if kinds[0] != kinds[1]:
        return [Difference(where="content type", expected=kinds[0], actual=kinds[1])]
    return [] if mask.whole else list(_bodies(expected, actual, mask))[:MAX_DIFFERENCES]


def same(expected: Answer, actual: Answer, mask: Mask = NO_MASK) -> bool:
    """Return whether two answers are the same under the mask."""
    return not compare(expected, actual, mask)


def _server_error(expected: Answer, actual: Answer) -> list[Difference]:
    if (actual.status or 0) >= 500 > (expected.status or 0):
        return [
            Difference(where="status", expected=str(expected.status), actual=str(actual.status))
        ]
    return []


def _bodies(expected: Answer, actual: Answer, mask: Mask) -> Iterator[Difference]:
    left, right = _json(expected), _json(actual)
    if left is _ABSENT:
        for line, old, new in _in_text(expected.body, actual.body):
            if line not in mask.lines:
                where = f"line {line}" if line else "body"
                yield Difference(where=where, expected=old, actual=new)
        return
    if right is _ABSENT:
        yield Difference(where="body", expected="JSON", actual="no JSON")
        return
    for pattern, difference in _in_json(left, right, "$", "$"):
        masked = pattern in mask.paths and not difference.changes_type
        if not masked and not _freed(pattern, mask) and not _ticks(pattern, difference):
            yield difference


def _freed(pattern: str, mask: Mask) -> bool:
    return any(
        pattern == free or pattern.startswith((free + ".", free + "[")) for free in mask.free
    )


def _ticks(pattern: str, difference: Difference) -> bool:
    """Return whether both values are moments, or numbers under a name of something that runs on by itself."""
    if difference.changes_type:
        return False
    old, new = difference.expected.strip('"'), difference.actual.strip('"')
    if _MOMENT.match(old) and _MOMENT.match(new):
        return True
    name = pattern.rpartition(".")[2]
    return bool(_TICKING.search(name)) and not difference.expected.startswith(('"', "a "))


def _in_json(left: Any, right: Any, path: str, pattern: str) -> Iterator[tuple[str, Difference]]:
    kinds = _kind(left), _kind(right)
    if kinds[0] != kinds[1]:
        yield pattern, _differs(path, left, right, changes_type=True)
    elif kinds[0] == "object":
        for key in sorted({*left, *right}):
            step = f".{key}" if _PLAIN_KEY.match(key) else f"[{json.dumps(key)}]"
            pair = left.get(key, _ABSENT), right.get(key, _ABSENT)
            yield from _in_json(*pair, path + step, pattern + step)
    elif kinds[0] == "list" and len(left) != len(right):
        words = f"a list of {len(left)}", f"a list of {len(right)}"
        # Without equal lengths there is no telling which entry is which: the list as a whole differs.
        yield (
            pattern,
            Difference(where=path, expected=words[0], actual=words[1], changes_type=True),
        )
    elif kinds[0] == "list":
        for index, pair in enumerate(zip(left, right, strict=True)):
            yield from _in_json(*pair, f"{path}[{index}]", f"{pattern}[*]")
    elif not _equal(left, right):
        yield pattern, _differs(path, left, right, changes_type=False)


def _differs(path: str, left: Any, right: Any, *, changes_type: bool) -> Difference:
    return Difference(
        where=path, expected=_shown(left), actual=_shown(right), changes_type=changes_type
    )


def _kind(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, bool) or value is None:
        return "null" if value is None else "boolean"
    names = (("object", dict), ("list", list), ("text", str))
    return next((name for name, kind in names if isinstance(value, kind)), "number")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, float) or isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    return bool(left == right)


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _in_text(left: bytes, right: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield the differing lines from 1; line 0 stands for texts that cannot be compared line by line."""
    if left == right:
        return
    olds, news = left.split(b"\n"), right.split(b"\n")
    if len(olds) != len(news):
        yield 0, f"{len(olds)} lines, {len(left)} bytes", f"{len(news)} lines, {len(right)} bytes"
        return
    for number, (old, new) in enumerate(zip(olds, news, strict=True), start=1):
        if old != new:
            yield number, _line(old), _line(new)


def _line(line: bytes) -> str:
    return repr(line[:80].decode("utf-8", "replace"))


def _media_type(answer: Answer) -> str:
    found = (v for k, v in answer.headers.items() if k.lower() == "content-type")
    return next(found, "").partition(";")[0].strip().lower()


def _json(answer: Answer) -> Any:
    kind = _media_type(answer)
    if "json" not in kind and answer.body.lstrip()[:1] not in {b"{", b"["}:
        return _ABSENT
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return _ABSENT
