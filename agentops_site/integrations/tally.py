"""Counts requests too many for a row each, such as probes into a sandbox: one row a vendor, kind of request and hour."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from agentops_site.models import VendorHour

KEPT = timedelta(days=7)
log = logging.getLogger(__name__)


def count(vendor: str, kind: str, *, requests: int = 1, failed: int = 0) -> None:
    """Add requests, and how many of them got no answer, to the present hour; one UPDATE, however many they are.

    A count that cannot be written is logged and lost: no probe fails for it.
    """
    if not requests:
        return
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    row = VendorHour.objects.filter(vendor=vendor, kind=kind, hour=hour)
    more = {"requests": F("requests") + requests, "failed": F("failed") + failed}
    try:
        if row.update(**more):
            return
        VendorHour.objects.get_or_create(vendor=vendor, kind=kind, hour=hour)
        row.update(**more)
        VendorHour.objects.filter(hour__lt=hour - KEPT).delete()
    except DatabaseError as error:
        log.warning("%d requests of %s were not counted: %s", requests, vendor, error)
