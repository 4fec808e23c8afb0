"""What is watched, how it is, and what it was when it was last good."""

from __future__ import annotations

from monitoring.models.health import HealthChange, ServiceHealth
from monitoring.models.kept import Blob, FaultInjection, Snapshot
from monitoring.models.minutes import ProbeMinute, ResourceMinute
from monitoring.models.recorded import RecordedExchange
from monitoring.models.service import Service

__all__ = [
    "Blob",
    "FaultInjection",
    "HealthChange",
    "ProbeMinute",
    "RecordedExchange",
    "ResourceMinute",
    "Service",
    "ServiceHealth",
    "Snapshot",
]
