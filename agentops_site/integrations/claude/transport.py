"""The SDK's HTTP client with a limit on what it reads. Imported inside functions: it needs the SDK's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2

MAX_ANSWER_BYTES = 8_000_000


class TooLarge(Exception):
    """The vendor sends more than an answer can be."""


class _Capped(httpx2.SyncByteStream):
    """A response's bytes up to the limit: a worker's memory is not the vendor's."""

    def __init__(self, inner: httpx2.SyncByteStream) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        seen = 0
        for chunk in self._inner:
            seen += len(chunk)
            if seen > MAX_ANSWER_BYTES:
                raise TooLarge
            yield chunk

    def close(self) -> None:
        self._inner.close()


def _cap(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _Capped(response.stream)


def capped_client() -> Any:
    """Return an HTTP client that follows no redirect: evidence goes to the address that was set and to no other."""
    return anthropic.DefaultHttpxClient(follow_redirects=False, event_hooks={"response": [_cap]})
