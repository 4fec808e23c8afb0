"""The texts that a round sends: what is appended to pages, made once for all who have seen as much, and joined to few messages."""

from __future__ import annotations

from collections.abc import Iterable

from incidents.consumers.client import Client
from incidents.consumers.fragments import Rendered

ROWS_AT_ONCE = 10
TOGETHER = 30_000  # characters


class Fresh:
    """What is appended to pages, made once for all in one time zone that have seen as much."""

    def __init__(self, quick: Rendered) -> None:
        self._quick = quick
        self._made: dict[tuple[str, int, int], tuple[int, int, tuple[str, ...]]] = {}

    def for_(self, client: Client) -> tuple[str, ...]:
        """Return what is appended to a client's page, which from now on counts as having it."""
        key = (client.identity.time_zone, client.seen, client.comment)
        if key not in self._made:
            self._made[key] = self._make(*key)
        client.seen, client.comment, appended = self._made[key]
        return appended

    def _make(self, zone: str, seen: int, comment: int) -> tuple[int, int, tuple[str, ...]]:
        entries = _after(self._quick.entries.get(zone, []), seen)
        comments = _after(self._quick.comments.get(zone, []), comment)
        return (
            max([seen, *(number for number, _ in entries)]),
            max([comment, *(number for number, _ in comments)]),
            (*_appended("timeline", entries), *_appended("comments", comments)),
        )


def together(texts: Iterable[str]) -> list[str]:
    """Join short texts to messages, in order: a message costs a server much more than its length."""
    messages: list[str] = []
    for text in filter(None, texts):
        if messages and len(messages[-1]) + len(text) < TOGETHER:
            messages[-1] += f"\n{text}"
        else:
            messages.append(text)
    return messages


def _after(rows: list[tuple[int, str]], last: int) -> list[tuple[int, str]]:
    return [row for row in rows if row[0] > last]


def _appended(target: str, rows: list[tuple[int, str]]) -> list[str]:
    """Append rows by wrappers that htmx strips, some at a time; the order is that of their numbers."""
    insides = [
        "".join(html for _, html in rows[start : start + ROWS_AT_ONCE])
        for start in range(0, len(rows), ROWS_AT_ONCE)
    ]
    return [f'<ol hx-swap-oob="beforeend:#{target}">{inside}</ol>' for inside in insides]
