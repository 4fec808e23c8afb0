"""Reads typed values out of parsed JSON and names the exact field when one is wrong.

The request bodies and config.json go through the same reader; only the error raised differs.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Final

Fail = Callable[[str, str], Exception]

_MISSING: Final = object()
_SHOWN_CHARACTERS = 60
# Control characters, and lone surrogates, which no UTF-8 answer or database could hold.
_UNWANTED = ("Cc", "Cs")


class Fields:
    """One JSON object at `path`; `fail(field, problem)` makes the error to raise."""

    def __init__(self, value: object, path: str, fail: Fail) -> None:
        if not isinstance(value, dict):
            raise fail(path or "body", f"must be an object, got {shown(value)}")
        self._values = value
        self._path = path
        self._fail = fail

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def names(self) -> list[str]:
        return list(self._values)

    def path_of(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def wrong(self, key: str, problem: str) -> Exception:
        return self._fail(self.path_of(key), problem)

    def integer(self, key: str, low: int, high: int) -> int:
        value = self._required(key)
        # True is an int in Python: without this a quantity of `true` would buy one piece.
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(
                key, f"must be a whole number from {low} to {high}, got {shown(value)}"
            )
        return value

    def number(self, key: str, low: str, high: str) -> Decimal:
        value = self._required(key)
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            raise self.wrong(key, f"must be a number, got {shown(value)}")
        number = Decimal(str(value))
        if not Decimal(low) <= number <= Decimal(high):
            raise self.wrong(key, f"must be from {low} to {high}, got {shown(value)}")
        return number

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        value = self._values.get(key, _MISSING if default is None else default)
        if not isinstance(value, bool):
            raise self.wrong(key, f"must be true or false, got {shown(value)}")
        return value

    def text(self, key: str, *, longest: int, pattern: str = "", shortest: int = 1) -> str:
        """Return the text without surrounding blanks; control characters are refused."""
        value = self._required(key)
        if not isinstance(value, str):
            raise self.wrong(key, f"must be text, got {shown(value)}")
        text = value.strip()
        if not shortest <= len(text) <= longest:
            raise self.wrong(key, f"must have {shortest} to {longest} characters, got {len(text)}")
        if any(unicodedata.category(character) in _UNWANTED for character in text):
            raise self.wrong(key, "must not hold control characters")
        if pattern and not re.fullmatch(pattern, text):
            raise self.wrong(key, f"has the wrong form: {shown(text)}")
        return text

    def child(self, key: str, *allowed: str) -> Fields:
        """Return the object under `key`; with `allowed`, an object of these keys only."""
        child = Fields(self._required(key), self.path_of(key), self._fail)
        if allowed:
            child.only(*allowed)
        return child

    def children(self, key: str, *, most: int) -> list[Fields]:
        values = self._required(key)
        if not isinstance(values, list) or not 1 <= len(values) <= most:
            raise self.wrong(key, f"must be a list of 1 to {most} entries")
        path = self.path_of(key)
        return [Fields(value, f"{path}[{index}]", self._fail) for index, value in enumerate(values)]

    def only(self, *allowed: str) -> None:
        """Refuse a key that nobody reads: in a configuration that is a typing mistake."""
        for key in self._values:
            if key not in allowed:
                raise self.wrong(key, f"is not a known key; known are {', '.join(allowed)}")

    def _required(self, key: str) -> object:
        value = self._values.get(key, _MISSING)
        if value is _MISSING:
            raise self.wrong(key, "is missing")
        return value


def shown(value: object) -> str:
    """Return a short JSON form of a value for a message."""
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
