"""Rules that the answers of a service keep whatever happens, as data that a manager can write. Nothing is evaluated.

An invariant is an object with a `request` (`method`, default GET, and `path`), a `name` if wanted, and one rule:

- `{"each": "$.items[*].stock", "is": ">= 0"}`: every value found by the path satisfies the condition. Conditions are
  `>= N`, `<= N`, `> N`, `< N`, `== JSON`, `!= JSON`, `in [JSON, ...]`, and the words `number`, `text`, `list`,
  `object`, `boolean`, `present` and `not null`.
- `{"sum": "$.lines[*].total", "equals": "$.total", "within": 0.01}`: the values add up to the other value (or to a
  number); `within` is the allowed deviation, 0 unless given. Sums are decimal, so that cents are exact.
- `{"path": "$.status", "equals": "ok"}`: one value equals a JSON value, or another path's value (a text with `$` first).

`"in": "$.items[*]"` applies the rule to each of these parts, in which `$` then stands for the part. Paths know
`.name`, `["any name"]`, `[0]`, `[*]` and `.*`.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from monitoring.values import Answer, HttpRequest

MAX_TEXT = 300
MAX_FOUND = 100_000
_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][\w-]*)|\[(?P<quoted>\"[^\"\\]*\"|'[^'\\]*')\]|\[(?P<index>\d+)\]|(?P<all>\[\*\]|\.\*)"
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CONDITION = re.compile(r"(?P<sign>>=|<=|==|!=|>|<|in)\s*(?P<literal>.+)$", re.DOTALL)
_WORDS: dict[str, Callable[[Any], bool]] = {
    "number": lambda value: _is_number(value),
    "text": lambda value: isinstance(value, str),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "boolean": lambda value: isinstance(value, bool),
    "present": lambda _value: True,
    "not null": lambda value: value is not None,
}
_RULES = {"each": {"each", "is"}, "sum": {"sum", "equals"}, "path": {"path", "equals"}}
_OPTIONS = {"name", "request", "in"}

Step = str | int | None
"""A name, an index, or None for every entry."""


@dataclass(frozen=True)
class Path:
    """A parsed path; `text` as it was written."""

    text: str
    steps: tuple[Step, ...]

    def find(self, document: Any) -> list[tuple[str, Any]]:
        """Return every value with its place; raise `_Broken` where a step does not fit the document."""
        found = [("$", document)]
        for step in self.steps:
            found = [pair for place, value in found for pair in _children(place, value, step)]
            if len(found) > MAX_FOUND:
                raise _Broken(f"{self.text} finds more than {MAX_FOUND} values")
        return found


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """A checked rule. Made by `check_invariant` only."""

    name: str
    request: HttpRequest
    scope: Path
    subject: Path
    kind: str
    target: Any
    condition: Callable[[Any], bool]
    within: Decimal

    def broken_by(self, document: Any) -> str:
        """Return what breaks the rule in a parsed answer, "" when the rule holds."""
        try:
            for _place, part in self.scope.find(document):
                _CHECKS[self.kind](self, part)
        except _Broken as broken:
            return f"{self.name}: {broken}"
        except ArithmeticError:
            return f"{self.name}: a number is too large to be calculated with"
        return ""

    def broken_by_answer(self, answer: Answer) -> str:
        """Return what breaks the rule in an answer; one that is no JSON breaks every rule."""
        try:
            document = json.loads(answer.body, parse_float=Decimal)
        except (ValueError, RecursionError):
            return f"{self.name}: the answer is not JSON"
        return self.broken_by(document)


class _Broken(Exception):
    """The rule does not hold; the text says where."""


def check_invariant(raw: object) -> Invariant:
    """Return the rule that the data describes; raise ValueError with a text for the person who wrote it."""
    if not isinstance(raw, Mapping):
        raise ValueError("An invariant is an object with a request and a rule.")
    kind = next((kind for kind in _RULES if kind in raw), "")
    if not kind:
        raise ValueError('An invariant needs one of "each", "sum" and "path".')
    allowed = _RULES[kind] | _OPTIONS | ({"within"} if kind == "sum" else set())
    unknown, missing = sorted(set(raw) - allowed), sorted(_RULES[kind] - set(raw))
    if unknown or missing:
        wrong = f"does not know {unknown[0]!r}" if unknown else f"also needs {missing[0]!r}"
        raise ValueError(f'An invariant with "{kind}" {wrong}.')
    subject = _path(raw[kind], kind)
    return Invariant(
        name=_name(raw, kind),
        request=_request(raw.get("request")),
        scope=_path(raw.get("in", "$"), "in"),
        subject=subject,
        kind=kind,
        target=_target(raw.get("equals")),
        condition=_condition(raw["is"]) if kind == "each" else _WORDS["present"],
        within=_within(raw.get("within", 0)),
    )


def _name(raw: Mapping[str, Any], kind: str) -> str:
    rule = f"{kind} {raw[kind]} {raw.get('is') or 'equals ' + str(raw.get('equals'))}"
    name = raw.get("name", rule)
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_TEXT:
        raise ValueError(f"The name of an invariant is a text of 1 to {MAX_TEXT} characters.")
    return name


def _request(raw: object) -> HttpRequest:
    if not isinstance(raw, Mapping) or set(raw) - {"method", "path"} or "path" not in raw:
        raise ValueError('"request" is an object with "path" and, if not GET, "method".')
    method, path = raw.get("method", "GET"), raw["path"]
    if method not in {"GET", "HEAD", "POST"}:
        raise ValueError("The method of an invariant's request is GET, HEAD or POST.")
    if not isinstance(path, str) or not re.fullmatch(r"/[!-~]{0,500}", path):
        raise ValueError('The path of an invariant\'s request starts with "/" and has no spaces.')
    return HttpRequest(method=method, path=path)


def _path(raw: object, field: str) -> Path:
    if not isinstance(raw, str) or not raw.startswith("$") or len(raw) > MAX_TEXT:
        raise ValueError(
            f'"{field}" is a path such as $.items[*].stock (at most {MAX_TEXT} characters).'
        )
    steps: list[Step] = []
    at = 1
    while at < len(raw):
        found = _STEP.match(raw, at)
        if found is None:
            raise ValueError(
                f'"{field}": the path {raw!r} is not understood from {raw[at:][:20]!r} on.'
            )
        steps.append(_step(found))
        at = found.end()
    return Path(raw, tuple(steps))


def _step(found: re.Match[str]) -> Step:
    if found["all"]:
        return None
    if found["index"]:
        return int(found["index"])
    return found["name"] or found["quoted"][1:-1]


def _target(raw: object) -> Any:
    if isinstance(raw, str) and raw.startswith("$"):
        return _path(raw, "equals")
    return _exact(raw)


def _within(raw: object) -> Decimal:
    value = _exact(raw)
    if not isinstance(value, Decimal) or value < 0:
        raise ValueError('"within" is a number from 0 up.')
    return value


def _condition(raw: object) -> Callable[[Any], bool]:
    if isinstance(raw, str) and raw in _WORDS:
        return _WORDS[raw]
    found = _CONDITION.match(raw.strip()) if isinstance(raw, str) and len(raw) <= MAX_TEXT else None
    if found is None:
        raise ValueError('"is" is a condition such as ">= 0", "in [1, 2]" or "number".')
    sign = found["sign"]
    try:
        literal = json.loads(found["literal"], parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'"is": {found["literal"]!r} is not a JSON value.') from error
    if sign == "in" and not isinstance(literal, list):
        raise ValueError('"is": "in" needs a list, such as in ["new", "paid"].')
    if sign in _COMPARISONS and not _is_number(literal):
        raise ValueError(f'"is": {sign} compares with a number.')
    return _comparing(sign, literal)


def _comparing(sign: str, literal: Any) -> Callable[[Any], bool]:
    if sign == "in":
        return lambda value: any(_exact(value) == _exact(entry) for entry in literal)
    if sign in {"==", "!="}:
        return lambda value: (_exact(value) == _exact(literal)) is (sign == "==")
    compare = _COMPARISONS[sign]
    return lambda value: _is_number(value) and compare(_exact(value), _exact(literal))


def _each(rule: Invariant, part: Any) -> None:
    for place, value in rule.subject.find(part):
        if not rule.condition(value):
            raise _Broken(f"{place} is {_shown(value)}")


def _sum(rule: Invariant, part: Any) -> None:
    total = Decimal(0)
    for place, value in rule.subject.find(part):
        if not _is_number(value):
            raise _Broken(f"{place} is {_shown(value)}, not a number")
        total += _exact(value)
    wanted = _wanted(rule, part)
    if not isinstance(wanted, Decimal) or abs(total - wanted) > rule.within:
        raise _Broken(f"the sum is {_shown(total)}, not {_shown(wanted)}")


def _equals(rule: Invariant, part: Any) -> None:
    wanted = _wanted(rule, part)
    for place, value in rule.subject.find(part):
        if _exact(value) != wanted:
            raise _Broken(f"{place} is {_shown(value)}, not {_shown(wanted)}")


_CHECKS: dict[str, Callable[[Invariant, Any], None]] = {"each": _each, "sum": _sum, "path": _equals}


def _wanted(rule: Invariant, part: Any) -> Any:
    if not isinstance(rule.target, Path):
        return rule.target
    found = rule.target.find(part)
    if len(found) != 1:
        raise _Broken(f"{rule.target.text} finds {len(found)} values, one is needed")
    return _exact(found[0][1])


def _children(place: str, value: Any, step: Step) -> list[tuple[str, Any]]:
    if step is None and isinstance(value, list | dict):
        entries = enumerate(value) if isinstance(value, list) else value.items()
        return [(f"{place}[{key}]", entry) for key, entry in entries]
    if isinstance(step, int) and isinstance(value, list) and step < len(value):
        return [(f"{place}[{step}]", value[step])]
    if isinstance(step, str) and isinstance(value, dict) and step in value:
        return [(f"{place}.{step}", value[step])]
    name = "a list or an object" if step is None else repr(step)
    raise _Broken(f"{place} has no {name}" if step is not None else f"{place} is not {name}")


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return is_number and value == value  # not-a-number is the one value that differs from itself


def _exact(value: Any) -> Any:
    """Return numbers as Decimal, so that 0.1 + 0.2 is 0.3 and 1 equals 1.0; true never equals 1."""
    if isinstance(value, bool):
        return ("boolean", value)
    if _is_number(value):
        return Decimal(str(value))
    if isinstance(value, list):
        return [_exact(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _exact(entry) for key, entry in value.items()}
    return value


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        value = value[1]
    text = (
        str(value)
        if isinstance(value, Decimal)
        else json.dumps(value, default=str, ensure_ascii=False)
    )
    return text if len(text) <= 60 else text[:57] + "..."
