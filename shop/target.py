"""The storefront's one way to the watched shop: every answer is a `Reply`, also when nobody answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from monitoring import providers, recorder
from monitoring.models import Service
from monitoring.ports import TargetError
from monitoring.values import Answer, HttpRequest

SOURCE = "shop"
READ_SECONDS = 2.0
BUY_SECONDS = 5.0  # the shop gives its payment gateway 2 s
HUNG_SECONDS = 3.0
_AWAY = {404, 405, 408, 425, 429}  # on an address that we know to exist: it is broken, not us


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back. `status` is None when nothing did; `body` is parsed JSON, None when it was none."""

    status: int | None = None
    body: Any = None
    failure: str = ""
    elapsed_ms: float = 0.0

    @property
    def is_good(self) -> bool:
        """Return whether it is a 2xx with a JSON object."""
        return self.status is not None and 200 <= self.status < 300 and isinstance(self.body, dict)

    @property
    def is_away(self) -> bool:
        """Return whether the shop could not do its work: no answer, a failure of its own, or no JSON object."""
        if self.status is None or self.status >= 500 or self.status in _AWAY:
            return True
        return not isinstance(self.body, dict)

    @property
    def is_unanswered(self) -> bool:
        """Return whether the shop may have acted although we do not know: never of a refused connection."""
        return self.status is None and self.failure not in {"refused", "unreachable"}

    @property
    def error(self) -> Mapping[str, str]:
        """Return the shop's own words: `type`, `detail` and perhaps `field`."""
        found = self.body.get("error") if isinstance(self.body, dict) else None
        return found if isinstance(found, dict) else {}


@dataclass
class _Hung:
    """Remembers for a moment what ran into its time limit.

    Without it every page of a hung shop would take the whole limit; with it one request in `HUNG_SECONDS` does.
    """

    _until: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str) -> None:
        with self._lock:
            self._until[what] = time.monotonic() + HUNG_SECONDS

    def forget(self) -> None:
        with self._lock:
            self._until.clear()

    def holds(self, what: str) -> bool:
        with self._lock:
            return self._until.get(what, 0.0) > time.monotonic()


hung = _Hung()
_known: tuple[float, Service | None] | None = None


def read(path: str, *, recorded: bool = True) -> Reply:
    """Ask for `path` (with its query) and return the answer; what just hung is not asked again at once.

    What no shopper asked for (polls) is not `recorded`: it would push real requests out of the flight recorder's ring.
    """
    kind = path.partition("?")[0]
    if hung.holds(kind):
        return Reply(failure="timeout")
    request = HttpRequest(path=path, headers={"accept": "application/json"})
    reply = _reply(request, READ_SECONDS, recorded=recorded)
    if reply.failure == "timeout":
        hung.note(kind)
    return reply


def price(body: Mapping[str, Any]) -> Reply:
    """Ask what a cart costs; as harmless as a read."""
    if hung.holds("/api/quote"):
        return Reply(failure="timeout")
    reply = _reply(_post("/api/quote", body), READ_SECONDS)
    if reply.failure == "timeout":
        hung.note("/api/quote")
    return reply


def tell(path: str, body: Mapping[str, Any], *, key: str = "") -> Reply:
    """Send a change; with `key` it is done once however often it is sent."""
    return _reply(_post(path, body, key=key), BUY_SECONDS)


def service() -> Service | None:
    """Return the service behind the storefront (setting `SHOP_SERVICE`), as it was at most a moment ago.

    Its row is wide and a page needs it several times: read anew each time it was a sixth of what a page costs.
    """
    global _known
    known, now = _known, time.monotonic()
    if known is None or now - known[0] >= settings.SHOP_SERVICE_SECONDS:
        known = now, Service.objects.filter(slug=settings.SHOP_SERVICE).first()
        _known = known
    return known[1]


def _post(path: str, body: Mapping[str, Any], *, key: str = "") -> HttpRequest:
    headers = {"content-type": "application/json", "accept": "application/json"}
    if key:
        headers["idempotency-key"] = key
    return HttpRequest(
        method="POST", path=path, headers=headers, body=json.dumps(dict(body)).encode()
    )


def _reply(request: HttpRequest, timeout: float, *, recorded: bool = True) -> Reply:
    found = service()
    if found is None:
        return Reply(failure="unreachable")
    if recorded:
        answer = recorder.send(service=found, request=request, source=SOURCE, timeout=timeout)
    else:
        answer = _asked(found, request, timeout)
    return Reply(
        status=answer.status,
        body=_parsed(answer),
        failure=answer.failure,
        elapsed_ms=answer.elapsed_ms,
    )


def _asked(found: Service, request: HttpRequest, timeout: float) -> Answer:
    spec = found.spec()
    try:
        return providers.reader(spec).request(spec, request, timeout)
    except TargetError:
        return Answer(failure="unreachable")


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
