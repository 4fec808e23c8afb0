"""The kinds of job."""

from __future__ import annotations

from collections.abc import Callable

KINDS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "reverse": lambda text: text[::-1],
    "count": lambda text: str(len(text.split())),
}
