"""The flight recorder: the last requests that went through us with their answers, in a bounded ring per service."""

from __future__ import annotations

import base64
import logging
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from monitoring import providers, redaction, traffic
from monitoring.claims import request_probe
from monitoring.judging import Question, judge
from monitoring.later import Later
from monitoring.models import RecordedExchange, Service
from monitoring.ports import TargetError
from monitoring.smoke import BadSmokeRequests, Smoke, smoke_requests
from monitoring.values import Answer, Health, HttpRequest

log = logging.getLogger(__name__)

SMOKE = "smoke"
MAX_REQUEST_BYTES = 64_000
MAX_ANSWER_BYTES = 256_000
MOST_FROZEN = 30
MOST_ALIKE = 3
"""So many equal writes are frozen; their order and number may be what matters. Of equal reads one is enough."""
READS = {"GET", "HEAD"}
BURST, BURST_SECONDS = 3, 2.0
_TRIM_EVERY = 16
SMOKE_EVERY = timedelta(seconds=60)
_smoked: dict[int, tuple[datetime, bool]] = {}


def send(
    *,
    service: Service,
    request: HttpRequest,
    source: str,
    user: str = "",
    timeout: float | None = None,
) -> Answer:
    """Send one request to the service and record it; returns the answer, never raises for the target's fault.

    `source` says who sent it ("shop", "live", ...); `timeout` is in seconds, the service's own when None.
    """
    spec = service.spec()
    try:
        answer = providers.reader(spec).request(spec, request, timeout or spec.timeout)
    except TargetError as error:
        log.warning("%s cannot be asked: %s", service.slug, error)
        answer = Answer(failure="unreachable")
    record(
        service=service,
        request=request,
        answer=answer,
        source=source,
        user=user,
        now=timezone.now(),
    )
    return answer


def record(  # noqa: PLR0913 (an exchange has these six parts; a value class would only be unpacked)
    *,
    service: Service,
    request: HttpRequest,
    answer: Answer,
    source: str,
    now: datetime,
    user: str = "",
) -> None:
    """Keep one exchange, redacted; a burst of failures makes the service due for a deep probe at once.

    Never raises into the caller: a shopper's answer must not depend on our ring. Requests over 64 kB are not kept;
    answers over 256 kB are cut, and say so when they are frozen. A good exchange is written a moment later, with others
    (`RECORDER_BUFFER_SECONDS`); a failed one at once, after the good ones before it.
    """
    row = _row(service, request, answer, source, now)
    if row is None:
        return
    row.user = user[:80]
    if row.good and settings.RECORDER_BUFFER_SECONDS > 0:
        _later.put(row, seconds=settings.RECORDER_BUFFER_SECONDS)
        return
    _later.flush()
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            if row.pk % _TRIM_EVERY == 0:
                trim(service, now=now)
        if not row.good:
            _probe_on_failures(service, request, now)
    except DatabaseError:
        log.exception("Not recorded: %s", row)


def record_smokes(
    service: Service, exchanges: Iterable[tuple[HttpRequest, Answer]], *, now: datetime
) -> int:
    """Keep the answers of a deep probe's declared reads and return how many.

    Once in `SMOKE_EVERY` while they stay as good or bad as they were: else a ring of a quiet service would hold nothing
    but the same answer.
    """
    made = (_row(service, request, answer, SMOKE, now) for request, answer in exchanges)
    rows = [row for row in made if row is not None]
    all_good = all(row.good for row in rows)
    last_at, last_good = _smoked.get(service.pk, (None, None))
    if last_at is not None and last_good is all_good and now - last_at < SMOKE_EVERY:
        return 0
    _smoked[service.pk] = (now, all_good)
    RecordedExchange.objects.bulk_create(rows)
    return len(rows)


def freeze(
    service: Service, *, since: datetime, now: datetime
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the failing set (failed since `since`) and the good set, each in the order in which they happened.

    Each entry is {"request", "expected", "good", "source", "order"} with bodies in base64; by `order` both sets together
    are in the order in which they happened. Of equal reads the newest is taken, of equal writes the newest few. A good request that lost a secret to redaction is left out: its replay could not give the same answer.
    Declared smoke requests that nothing is recorded of are in the good set with `expected` None.
    """
    ring = RecordedExchange.objects.filter(service=service, at__lte=now)
    failing = _newest(ring.filter(good=False, at__gte=since))
    failed = {_key(row) for row in failing}
    oldest = now - timedelta(seconds=settings.RECORDER_MAX_AGE_SECONDS)
    good = [
        row
        for row in _newest(ring.filter(good=True, at__gte=oldest))
        if not redaction.is_hidden(bytes(row.body), row.headers)
    ]
    known = failed | {_key(row) for row in good}
    unseen = [smoke for smoke in _declared(service) if _smoke_key(smoke) not in known]
    return [_plain(row) for row in failing], [
        *(_plain(row) for row in good),
        *(_plain_smoke(smoke) for smoke in unseen),
    ]


def trim(service: Service, *, now: datetime) -> None:
    """Drop what is beyond the ring's count, bytes and age (settings RECORDER_MAX_*)."""
    ring = RecordedExchange.objects.filter(service=service)
    ring.filter(at__lt=now - timedelta(seconds=settings.RECORDER_MAX_AGE_SECONDS)).delete()
    beyond = ring.order_by("-id").values_list("pk", flat=True)[settings.RECORDER_MAX_EXCHANGES :]
    ring.filter(pk__in=list(beyond)).delete()
    while (ring.aggregate(total=Sum("size"))["total"] or 0) > settings.RECORDER_MAX_BYTES:
        oldest = list(ring.order_by("id").values_list("pk", flat=True)[:_TRIM_EVERY])
        ring.filter(pk__in=oldest).delete()


def _write_bunch(rows: list[RecordedExchange]) -> None:
    try:
        with transaction.atomic():
            RecordedExchange.objects.bulk_create(rows)
            for row in {row.service_id: row for row in rows}.values():
                trim(row.service, now=row.at)
    except DatabaseError:
        log.exception("%s exchanges are not recorded", len(rows))


_later = Later(_write_bunch)


def _row(
    service: Service, request: HttpRequest, answer: Answer, source: str, now: datetime
) -> RecordedExchange | None:
    if len(request.body) > MAX_REQUEST_BYTES or len(request.path) > 2000:
        return None
    body = redaction.body(answer.body, service.redact_fields)
    return RecordedExchange(
        service=service,
        at=now,
        source=source[:20],
        method=request.method[:8],
        path=request.path,
        headers=redaction.headers(request.headers),
        body=redaction.body(request.body, service.redact_fields),
        status=answer.status,
        answer_type=answer.headers.get("content-type", "")[:100],
        answer=body[:MAX_ANSWER_BYTES],
        failure=answer.failure,
        elapsed_ms=answer.elapsed_ms,
        good=_is_good(service, request, answer),
        size=len(request.body) + len(body) + answer.truncated,
    )


def _is_good(service: Service, request: HttpRequest, answer: Answer) -> bool:
    """Return whether the service did its work: a refusal of bad input (4xx) is good work too."""
    status = answer.status or 0
    question = Question(
        request=request,
        slow_ms=service.slow_ms,
        health=request.path == service.health_path,
        expected_status=status if 200 <= status < 500 else None,
    )
    return judge(answer, question).health is Health.HEALTHY


def _probe_on_failures(service: Service, request: HttpRequest, now: datetime) -> None:
    recent = RecordedExchange.objects.filter(
        service=service, good=False, at__gt=now - timedelta(seconds=BURST_SECONDS)
    ).exclude(source=SMOKE)
    is_burst = recent.count() == BURST  # at the third one, not again at each that follows
    if is_burst or traffic.reaches_limit(service, request, now=now):
        request_probe(service.pk, now=now, deep=True)


def _newest(rows: QuerySet[RecordedExchange]) -> list[RecordedExchange]:
    """Return the newest of each distinct request, in the order in which they happened."""
    kept: list[RecordedExchange] = []
    seen: Counter[object] = Counter()
    for row in rows.order_by("-id")[: settings.RECORDER_MAX_EXCHANGES]:
        seen[_key(row)] += 1
        if seen[_key(row)] <= (1 if row.method in READS else MOST_ALIKE):
            kept.append(row)
        if len(kept) == MOST_FROZEN:
            break
    return kept[::-1]


def _key(row: RecordedExchange) -> tuple[str, str, bytes]:
    return row.method, row.path, bytes(row.body)


def _smoke_key(smoke: Smoke) -> tuple[str, str, bytes]:
    return smoke.request.method, smoke.request.path, smoke.request.body


def _declared(service: Service) -> tuple[Smoke, ...]:
    try:
        return smoke_requests(service.smoke_requests)
    except BadSmokeRequests:
        return ()


def _plain(row: RecordedExchange) -> dict[str, Any]:
    cut = row.size > len(bytes(row.body)) + len(bytes(row.answer))
    answer = {
        "status": row.status,
        "headers": {"content-type": row.answer_type} if row.answer_type else {},
        "body": _text(bytes(row.answer)),
        "elapsed_ms": row.elapsed_ms,
        "failure": row.failure,
        "truncated": cut,
    }
    request = HttpRequest(
        method=row.method, path=row.path, headers=row.headers, body=bytes(row.body)
    )
    return {
        "request": _plain_request(request),
        "expected": answer,
        "good": row.good,
        "source": row.source,
        "order": row.pk,
    }


def _plain_smoke(smoke: Smoke) -> dict[str, Any]:
    request = _plain_request(smoke.request)
    return {"request": request, "expected": None, "good": True, "source": SMOKE, "order": None}


def _plain_request(request: HttpRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "headers": dict(request.headers),
        "body": _text(request.body),
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
