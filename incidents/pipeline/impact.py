"""What a failure costs, as measured: failing endpoints, shares of requests and users, probes, since when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from incidents.engine.fingerprints import route
from incidents.models import Incident
from monitoring import recorder
from monitoring.models import ProbeMinute, RecordedExchange, ServiceHealth

PROBES = timedelta(minutes=10)
EARLIER = timedelta(seconds=60)
MOST_ENDPOINTS = 20


class Row(NamedTuple):
    """What counts of one recorded exchange."""

    at: datetime
    method: str
    path: str
    good: bool
    user: str
    source: str


def measured(incident: Incident, *, now: datetime) -> dict[str, Any]:
    """Return what was measured of an incident, for `Diagnosis.impact`; what was not measured has no key.

    `since` (ISO 8601), `probes` and `failed_probes` (of the last ten minutes), `requests`, `failed_requests`,
    `failed_share`, `users`, `users_share` (0..1, of what the flight recorder saw since then), `failing_endpoints` (whose
    newest answer since then was a failure).
    """
    detected = incident.failed_since or incident.detected_at
    rows = _recorded(incident, since=detected - EARLIER, now=now)
    began = _began(rows, detected)
    recent = [row for row in rows if row.at >= began]
    endpoints = _failing_endpoints(incident, recent)
    return {
        "since": began.isoformat(),
        **_probes(incident, now),
        **_shares([row for row in recent if row.source != recorder.SMOKE]),
        **({"failing_endpoints": endpoints} if endpoints else {}),
    }


def _recorded(incident: Incident, *, since: datetime, now: datetime) -> list[Row]:
    ring = RecordedExchange.objects.filter(service=incident.service, at__gte=since, at__lte=now)
    return [Row(*values) for values in ring.order_by("id").values_list(*Row._fields)]


def _began(rows: Sequence[Row], detected: datetime) -> datetime:
    """Return when it began: a request may have failed before the probe that noticed, with no good answer in between."""
    began = detected
    for row in reversed([row for row in rows if row.at < detected]):
        if row.good:
            break
        began = row.at
    return began


def _probes(incident: Incident, now: datetime) -> dict[str, int]:
    """Return the probes of the last minutes; minutes are written late, so that the row of the health counts too."""
    minutes = ProbeMinute.objects.filter(service=incident.service, minute__gte=now - PROBES)
    counts = list(minutes.values_list("count", "failures"))
    in_row = ServiceHealth.objects.filter(service=incident.service).values_list(
        "failures_in_row", flat=True
    )
    failed = max(sum(failures for _count, failures in counts), in_row.first() or 0)
    return {"probes": max(sum(count for count, _ in counts), failed), "failed_probes": failed}


def _shares(rows: Sequence[Row]) -> dict[str, Any]:
    if not rows:
        return {}
    failed = sum(not row.good for row in rows)
    found: dict[str, Any] = {
        "requests": len(rows),
        "failed_requests": failed,
        "failed_share": round(failed / len(rows), 4),
    }
    users = {row.user for row in rows if row.user}
    if users:
        hit = {row.user for row in rows if row.user and not row.good}
        found |= {"users": len(users), "users_share": round(len(hit) / len(users), 4)}
    return found


def _failing_endpoints(incident: Incident, rows: Iterable[Row]) -> list[str]:
    """Return `GET /api/products/<n>` and the like, the one that the incident opened with first."""
    newest = {f"{row.method} {route(row.path)}": row.good for row in rows}
    path = str(incident.failure.get("path", ""))
    own = [f"{incident.failure.get('method', 'GET')} {route(path)}"] if path else []
    return [*own, *(name for name, good in newest.items() if not good and name not in own)][
        :MOST_ENDPOINTS
    ]
