"""The vendors as a manager sees them: what is set up, how it goes, and a test. Keys are never shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Avg, Count, Q, Sum
from django.utils import timezone
from django.utils.module_loading import import_string

from agentops_site.models import VendorCall, VendorHour, VendorState

# Key in the records, name for people, setting that switches it on, what works without it.
KNOWN = (
    ("claude", "Claude", "ANTHROPIC_API_KEY", "The built-in engine diagnoses and writes fixes alone."),
    ("blaxel", "Blaxel", "BL_API_KEY", "Services and trials run on this machine."),
    ("white_circle", "White Circle", "WHITECIRCLE_API_KEY", "The built-in safety review decides alone."),
    ("elevenlabs", "ElevenLabs", "ELEVENLABS_API_KEY", "The browser's own voice speaks."),
)  # fmt: skip
RECENT = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Requests:
    """Requests too small and too many to be calls, such as probes; `failed` of them got no answer."""

    count: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return f"{self.count} ({self.failed} without an answer)"


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor on the page; times are UTC, cost in US dollars, latency in milliseconds, shares 0 to 1."""

    key: str
    name: str
    is_set_up: bool
    without: str
    state: VendorState
    calls_today: int
    errors_today: int
    cost_today: float
    latency_ms: float | None
    left_alone: bool
    small: dict[str, Requests]

    @property
    def words(self) -> str:
        """Return how the vendor is, in a word or two."""
        if not self.is_set_up:
            return "not set up"
        if self.left_alone:
            return "left alone for now"
        return "failing" if self.state.failures else "set up"

    @property
    def tone(self) -> str:
        """Return the tone of the badge."""
        return {"set up": "ok", "failing": "warn", "left alone for now": "danger"}.get(
            self.words, ""
        )

    @property
    def figures(self) -> list[tuple[str, str]]:
        """Return the figures of the page, as name and value."""
        latency = "-" if self.latency_ms is None else f"{self.latency_ms:.0f} ms"
        small = [
            (f"Requests {kind} in the last day", str(some)) for kind, some in self.small.items()
        ]
        return [
            ("Calls in the last day", f"{self.calls_today} ({self.errors_today} failed)"),
            *small,
            ("Mean time of a call", latency),
            ("Cost in the last day", _dollars(self.cost_today)),
            (
                "In all",
                f"{self.state.calls} calls, {self.state.errors} failed, {_dollars(self.state.cost_usd)}",
            ),
        ]


def _dollars(amount: float) -> str:
    """Return cents, and what is less than one in full: a call costs a fraction of it."""
    return f"${amount:.4f}" if 0 < amount < 0.01 else f"${amount:.2f}"


@dataclass(frozen=True, kw_only=True)
class _Day:
    """What the last day's calls of one vendor come to."""

    calls: int = 0
    errors: int = 0
    cost: float = 0.0
    latency: float | None = None
    small: dict[str, Requests] = field(default_factory=dict)


def overview(*, now: datetime) -> list[Vendor]:
    """Return all vendors, by three queries whatever their number."""
    states = {state.vendor: state for state in VendorState.objects.all()}
    days = _days(since=now - RECENT)
    small = _small(since=now - RECENT)
    return [
        _vendor(
            known,
            states.get(known[0]),
            replace(days.get(known[0], _Day()), small=small.get(known[0], {})),
            now,
        )
        for known in KNOWN
    ]


def _small(*, since: datetime) -> dict[str, dict[str, Requests]]:
    rows = VendorHour.objects.filter(hour__gte=since).order_by().values("vendor", "kind")
    found: dict[str, dict[str, Requests]] = {}
    for row in rows.annotate(sum=Sum("requests"), lost=Sum("failed")).order_by("kind"):
        some = Requests(count=row["sum"], failed=row["lost"])
        found.setdefault(row["vendor"], {})[row["kind"]] = some
    return found


def _days(*, since: datetime) -> dict[str, _Day]:
    rows = (
        VendorCall.objects.filter(at__gte=since)
        .order_by()
        .values("vendor")
        .annotate(
            calls=Count("id"),
            errors=Count("id", filter=Q(ok=False)),
            cost=Sum("cost_usd"),
            latency=Avg("duration_ms", filter=Q(ok=True)),
        )
    )
    return {
        row["vendor"]: _Day(
            calls=row["calls"],
            errors=row["errors"],
            cost=row["cost"] or 0.0,
            latency=row["latency"],
        )
        for row in rows
    }


def _vendor(
    known: tuple[str, str, str, str], state: VendorState | None, day: _Day, now: datetime
) -> Vendor:
    key, name, setting, without = known
    state = state or VendorState(vendor=key)
    return Vendor(
        key=key,
        name=name,
        is_set_up=bool(getattr(settings, setting)),
        without=without,
        state=state,
        calls_today=day.calls,
        errors_today=day.errors,
        cost_today=day.cost,
        latency_ms=day.latency,
        small=day.small,
        left_alone=bool(state.left_alone_until and state.left_alone_until > now),
    )


def run_test(vendor: str) -> None:
    """Ask the vendor now, also when it is being left alone, and keep the words that came back."""
    state, _ = VendorState.objects.get_or_create(vendor=vendor)
    VendorState.objects.filter(pk=state.pk).update(left_alone_until=None)
    words = str(import_string(settings.VENDOR_TESTS[vendor])())
    VendorState.objects.filter(pk=state.pk).update(
        tested_at=timezone.now(), test_result=words[:500]
    )
