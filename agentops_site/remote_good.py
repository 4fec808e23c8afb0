"""Last known good of services in sandboxes. Local ones are looked at every two seconds, which would cost too much there."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Max, Q

from monitoring import snapshots
from monitoring.models import Service, ServiceHealth
from monitoring.values import Health

AGAIN_AFTER = timedelta(minutes=10)


def keep(*, now: datetime) -> int:
    """Capture each remote service that is proven healthy: at once the first time, later after ten good minutes."""
    rows = (
        ServiceHealth.objects.filter(service__enabled=True, state=Health.HEALTHY)
        .exclude(service__runtime=Service.Runtime.LOCAL)
        .filter(successes_in_row__gte=F("service__healthy_before_snapshot"))
        .annotate(kept_at=Max("service__snapshots__created_at"))
        .filter(Q(kept_at=None) | Q(kept_at__lte=now - AGAIN_AFTER, since__lte=now - AGAIN_AFTER))
        .select_related("service")[:5]
    )
    captured = [snapshots.capture(service=row.service, reason="healthy", now=now) for row in rows]
    return sum(one is not None for one in captured)
