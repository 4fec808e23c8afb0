"""Probing second after second within one message; the pass of each second runs in a thread that stays.

A pass lasts until its last answer has come. One that waits for a service that hangs must not hold up the next second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from monitoring import claims, configuration, operations, snapshots
from monitoring.staying import Stay

log = logging.getLogger(__name__)

WINDOW_SECONDS = 1.3
"""How far ahead a pass claims: more than the second to the next one, so that what a pass takes to claim, and what beat
and the queue take to bring the next message, delays no probe."""

MOST_PASSES = 32
"""Passes at work at once in a process. With more, services hang that the machine cannot wait for: seconds are left out."""

STAY = Stay(every=1.0, turns=5)
_threads = ThreadPoolExecutor(MOST_PASSES, thread_name_prefix="probes")  # started when needed


def keep_probing() -> None:
    """Probe what is due in each second until the next message comes; once a message, keep last known good.

    Returns when its last pass has ended and raises what the first of them that failed raised. A database that is away
    for a second costs that second.
    """
    passes = [_begun(keep_good)]
    for _ in STAY.turns_of_a_message():
        if _is_anything_due() and sum(not one.done() for one in passes) < MOST_PASSES:
            passes.append(_begun(probe_once))
    wait(passes)
    for one in passes:
        one.result()


def probe_once() -> None:
    """Ask every service that is due before the next second's pass has claimed."""
    operations.probe_due(now=timezone.now(), window=WINDOW_SECONDS)


def keep_good() -> None:
    """Store the trees of services that are proven healthy, and take up services that are new."""
    now = timezone.now()
    configuration.ensure_health(now=now)
    snapshots.keep_last_known_good(now=now)


def _is_anything_due() -> bool:
    """Look without a lock: most seconds of a small installation have nothing to claim."""
    try:
        close_old_connections()
        return claims.is_due(until=timezone.now() + timedelta(seconds=WINDOW_SECONDS))
    except DatabaseError as error:
        log.warning("Nobody could look at what is due; it will be tried again: %s", error)
        return False


def _begun(act: Callable[[], None]) -> Future[None]:
    return _threads.submit(_with_usable_connection, act)


def _with_usable_connection(act: Callable[[], None]) -> None:
    close_old_connections()
    try:
        act()
    finally:
        close_old_connections()
