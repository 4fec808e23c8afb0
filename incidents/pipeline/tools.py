"""Everything outside that a step may ask, handed in by the caller so that no step knows an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from incidents.ports import Diagnostician, FixWriter, SafetyReviewer, Sandbox
from monitoring.ports import TargetReader, TargetWriter
from monitoring.values import ServiceSpec


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The ports of the pipeline, and the clock. Diagnosticians are asked in order, the built-in one last."""

    diagnosticians: tuple[Diagnostician, ...]
    fix_writers: tuple[FixWriter, ...]
    reviewers: tuple[SafetyReviewer, ...]
    sandbox: Callable[[str], Sandbox]
    reader: Callable[[ServiceSpec], TargetReader]
    writer: Callable[[ServiceSpec], TargetWriter]
    now: Callable[[], datetime] = timezone.now
    wait: Callable[[float], None] = time.sleep
