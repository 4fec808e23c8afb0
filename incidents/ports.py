"""What the pipeline asks of others. Adapters are named by settings and reached through `incidents.providers`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from incidents.values import (
    BoxPlan,
    BoxUsage,
    DiagnosisDraft,
    EvidencePack,
    FixDraft,
    ProposedChange,
    SafetyVerdict,
    StartUp,
    Wishes,
)
from monitoring.check_commands import CheckRun
from monitoring.ports import TargetReader, TargetWriter
from monitoring.values import Answer, HttpRequest, ServiceSpec


class PortError(Exception):
    """A part could not answer; `permanent` means that trying again cannot help. The text is for people."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class DiagnosisError(PortError):
    """No diagnosis could be had from this diagnostician."""


class FixError(PortError):
    """No fix could be had from this writer."""


class SandboxError(PortError):
    """A trial is not possible here; the text says why."""


class ReviewError(PortError):
    """This reviewer gave no verdict (which is not the same as a bad one)."""


class AnnounceError(PortError):
    """A message could not be delivered."""


class Diagnostician(Protocol):
    """Finds a cause from evidence."""

    name: str

    def diagnose(self, pack: EvidencePack) -> DiagnosisDraft:
        """Return the cause, citing evidence ids; raise `DiagnosisError` when none can be had."""


class FixWriter(Protocol):
    """Writes fixes for a diagnosed failure."""

    name: str

    def propose(
        self, pack: EvidencePack, diagnosis: DiagnosisDraft, wishes: Wishes
    ) -> list[FixDraft]:
        """Return candidates, best first (empty: no honest fix is known); raise `FixError` on trouble."""


class Box(Protocol):
    """One started copy of a service in isolation. Closed exactly once, also after an error."""

    isolation: str

    def start(self) -> StartUp:
        """Start the process and wait until its port answers, it exits, or the time is over."""

    def ask(self, request: HttpRequest, timeout: float) -> Answer:
        """Send one request to the copy; never raises for the copy's fault."""

    def check(self, words: tuple[str, ...], seconds: float) -> CheckRun:
        """Run a check command in the copy (`{port}` is put in), inside the same isolation and for so long at most.

        Never raises for the copy's fault; where no command can be run, nothing is learned (`ran` False).
        """

    def close(self) -> BoxUsage:
        """End everything that the box started, remove its files, and return what it used."""


class Sandbox(Protocol):
    """Makes boxes."""

    name: str

    def prepare(self) -> None:
        """Find out what need not be found out while an incident waits; raises nothing, and may do nothing."""

    def open(self, plan: BoxPlan) -> Box:
        """Prepare a copy as planned, not yet started; raise `SandboxError` when it is not possible."""


class SafetyReviewer(Protocol):
    """Judges whether a change is safe to deploy."""

    name: str

    def review(self, change: ProposedChange) -> SafetyVerdict:
        """Return a verdict; raise `ReviewError` when none can be had."""


class Announcer(Protocol):
    """Brings a message to people outside the pages."""

    def check(self, address: str) -> str:
        """Return the address as it may be shown (masked); raise `AnnounceError` when it is not allowed or no address."""

    def announce(self, *, address: str, title: str, body: str, link: str, severity: str) -> None:
        """Deliver the message; raise `AnnounceError`, whose text never holds the address."""


def _now() -> datetime:
    return datetime.now(tz=UTC)


@dataclass(frozen=True, kw_only=True)
class Tools:
    """Everything outside that a step may ask, handed in by the caller so that no step knows an adapter.

    Diagnosticians are asked in order, the built-in one last; `now` and `wait` (seconds) are the clock.
    """

    diagnosticians: tuple[Diagnostician, ...]
    fix_writers: tuple[FixWriter, ...]
    reviewers: tuple[SafetyReviewer, ...]
    sandbox: Callable[[str], Sandbox]
    reader: Callable[[ServiceSpec], TargetReader]
    writer: Callable[[ServiceSpec], TargetWriter]
    now: Callable[[], datetime] = _now
    wait: Callable[[float], None] = time.sleep
