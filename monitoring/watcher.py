"""Notices the end of a service's process within milliseconds, where a probe would take up to its interval.

A process that has started anew is probed as soon as it listens, and one whose files were edited within a second: a
change is when a service most often breaks.

On Linux the kernel tells (a pidfd becomes readable when its process ends); elsewhere the state is looked at every
50 ms. Both ways only prompt a look at the runtime's `process()`, which alone says whether the end was planned.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import redis
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone
from kombu.exceptions import OperationalError

from monitoring import edits, operations, providers
from monitoring.models import Service
from monitoring.ports import TargetError
from monitoring.resources import Sampler
from monitoring.values import ProcessState, ServiceSpec

REREAD_SECONDS = 1.0
POLL_SECONDS = 0.05
ENDING_SECONDS, ENDING_POLL_SECONDS = 0.5, 0.004
"""How long and how often it is looked whether the keeper has written down the end that the kernel told of."""
RESTART_SECONDS = 10.0
_HICCUPS = (DatabaseError, redis.RedisError, OperationalError, OSError)
log = logging.getLogger(__name__)


@dataclass
class Watched:
    """A service with what is known of its process. `pidfd` is -1 where there is none."""

    spec: ServiceSpec
    pidfd: int = -1
    watched_pid: int | None = None
    told: int = 0
    """The generation whose end has been recorded."""
    seen: int | None = None
    """The generation that was seen running last."""
    is_unasked: bool = False
    """Whether it has started anew, or was edited, and no probe was asked for yet."""
    files: int | None = None
    """The stamp of its files at the last look."""
    restless_until: float = 0.0
    """Until when it is looked at often: it may be coming back, and may die at once."""
    ending_until: float = 0.0
    """Until when its end, of which the kernel told, is awaited in its keeper's state."""

    @property
    def restless(self) -> bool:
        """Return whether nobody would tell us of its next end, or of its readiness."""
        return (self.pidfd < 0 or self.is_unasked) and time.monotonic() < self.restless_until


class Watcher:
    """Watches the processes of all enabled local services until `stop` is called."""

    def __init__(self) -> None:
        self._watched: dict[int, Watched] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._wakeup = os.pipe()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._running = True
        self._reread_at = 0.0
        self._sampler = Sampler()

    def run(self) -> None:
        """Watch; a database or broker that is away is met by trying again."""
        while self._running:
            if time.monotonic() >= self._reread_at:
                self._reread_at = time.monotonic() + REREAD_SECONDS
                self._survive(self._reread)
                self._look_for_edits()
                self._look_at(self._watched.values())
            else:
                self._look_at(one for one in self._watched.values() if one.restless)
            self._wait()
        for watched in self._watched.values():
            self._let_go(watched)
        self._selector.close()

    def stop(self) -> None:
        """End `run` at once; safe in a signal handler."""
        self._running = False
        os.write(self._wakeup, b"x")

    def _reread(self) -> None:
        specs = {spec.id: spec for spec in enabled_specs()}
        for gone in self._watched.keys() - specs.keys():
            self._let_go(self._watched.pop(gone))
            self._sampler.forget(gone)
        for service_id, spec in specs.items():
            new = Watched(spec, restless_until=time.monotonic() + RESTART_SECONDS)
            self._watched.setdefault(service_id, new).spec = spec

    def _look_for_edits(self) -> None:
        for watched in self._watched.values():
            before, watched.files = watched.files, edits.stamp(watched.spec)
            watched.is_unasked |= None not in (before, watched.files) and before != watched.files

    def _look_at(self, all_watched: Iterable[Watched]) -> None:
        for watched in all_watched:
            try:
                state = providers.reader(watched.spec).process(watched.spec)
            except TargetError as error:
                log.warning("%s", error)
                continue
            if state.phase == "running":
                self._follow(watched, state)
                self._survive(partial(self._take, watched, state))
                self._survive(partial(self._have_asked, watched, state))
            elif state.phase == "exited" and state.generation != watched.told:
                self._tell(watched, state)

    def _take(self, watched: Watched, state: ProcessState) -> None:
        self._sampler.take(service_id=watched.spec.id, state=state, now=timezone.now())

    def _have_asked(self, watched: Watched, state: ProcessState) -> None:
        """Ask for a probe of a process that has started or was edited since the last look, once it listens."""
        watched.is_unasked |= watched.seen not in (None, state.generation)
        watched.seen = state.generation
        if watched.is_unasked and _listens(watched.spec):
            operations.request_probe(watched.spec.id, now=timezone.now(), deep=True)
            watched.is_unasked = False

    def _follow(self, watched: Watched, state: ProcessState) -> None:
        """Have the kernel tell of the end of this very process."""
        if watched.watched_pid == state.pid or state.pid is None:
            return
        self._let_go(watched)
        try:
            watched.pidfd = os.pidfd_open(state.pid)
        except (AttributeError, OSError):
            return  # not Linux, or it has just ended: the next look tells
        watched.watched_pid = state.pid
        self._selector.register(watched.pidfd, selectors.EVENT_READ)

    def _let_go(self, watched: Watched) -> None:
        if watched.pidfd >= 0:
            self._selector.unregister(watched.pidfd)
            os.close(watched.pidfd)
        watched.pidfd, watched.watched_pid = -1, None

    def _tell(self, watched: Watched, state: ProcessState) -> None:
        def record() -> None:
            operations.record_exit(service_id=watched.spec.id, process=state, now=timezone.now())
            watched.told = state.generation

        self._let_go(watched)
        watched.ending_until = 0.0
        self._survive(record)

    def _wait(self) -> None:
        """Wait for the end of a process, or until the next look."""
        now = time.monotonic()
        patience = self._reread_at - now
        if any(one.restless for one in self._watched.values()):
            patience = POLL_SECONDS
        if any(now < one.ending_until for one in self._watched.values()):
            patience = ENDING_POLL_SECONDS
        ended = {key.fd for key, _ in self._selector.select(max(0.0, patience))}
        for watched in self._watched.values():
            if watched.pidfd in ended:
                self._let_go(watched)
                watched.restless_until = time.monotonic() + RESTART_SECONDS
                watched.ending_until = time.monotonic() + ENDING_SECONDS

    def _survive(self, act: Callable[[], None]) -> None:
        try:
            close_old_connections()
            act()
        except _HICCUPS as error:
            log.warning("will be tried again: %s", error)


def _listens(spec: ServiceSpec) -> bool:
    try:
        with socket.create_connection((spec.host, spec.port), timeout=POLL_SECONDS):
            return True
    except OSError:
        return False


def enabled_specs() -> list[ServiceSpec]:
    """Return the specs of the enabled services that run as local processes."""
    rows = Service.objects.filter(enabled=True, runtime=Service.Runtime.LOCAL)
    return [service.spec() for service in rows]
