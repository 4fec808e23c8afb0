"""The small world in which the access table is walked: one of everything that an address can name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incidents.models import (
    Debt,
    FollowUp,
    LearningRecord,
    Notification,
    NotificationChannel,
    OnCall,
)
from monitoring.models import ServiceHealth
from teams.models import ApiToken, User
from tests.incidents import made

ROLES = ("viewer", "junior_dev", "senior_dev", "team_lead", "manager")


@dataclass(frozen=True, kw_only=True)
class World:
    """What `{names}` in the table's addresses stand for."""

    names: dict[str, str]

    def address(self, text: str) -> str:
        """Return the address with its names filled in."""
        return text.format(**self.names)


def build(other: User) -> World:
    """Make the rows; what belongs to somebody belongs to `other`, whom the table does not ask about."""
    service = made.service(slug="shop", is_demo=True)
    ServiceHealth.objects.create(service=service)
    incident = made.incident(service, severity="high")
    fix = made.fix(incident)
    report = incident.reports.create(attempt=1, title="Report", body=_body(incident.pk))
    follow_up = FollowUp.objects.create(report=report, text="Add a test")
    record = LearningRecord.objects.create(
        incident=incident, attempt=1, kind="verified", service_slug="shop", category="code",
        fingerprint="f", fix_kind="edit",
    )  # fmt: skip
    told = Notification.objects.create(
        person=other, incident=incident, kind="asked", text="t", key="k"
    )
    channel = NotificationChannel(name="Phone", person=other)
    channel.set_address("json://example.com/", shown="json://example.com/")
    channel.save()
    token = ApiToken.objects.create(name="t", person=other, prefix="x", token_hash="y")  # noqa: S106
    debt = Debt.objects.create(
        service=service, fingerprint="f", title="Restarted twice", restarts=2
    )
    rows: dict[str, Any] = {
        "debt": debt.pk,
        "incident": incident.pk,
        "digest": fix.digest,
        "report": report.pk,
        "follow_up": follow_up.pk,
        "record": record.pk,
        "notification": told.pk,
        "channel": channel.pk,
        "place": OnCall.objects.create(service=service, person=other).pk,
        "token": token.pk,
        "service": service.slug,
    }
    return World(names={name: str(value) for name, value in rows.items()})


def _body(incident: int) -> dict[str, Any]:
    texts = ("title", "service", "severity", "category", "outcome", "root_cause", "place", "plain", "analogy", "by")  # fmt: skip
    lists = ("impact", "times", "evidence", "reviews", "learned", "open_questions", "suggested")
    nothing = dict.fromkeys(("fix", "receipt", "decision"))
    return {
        "incident": incident,
        "attempt": 1,
        **dict.fromkeys(texts, "low"),
        **{name: [] for name in lists},
        **nothing,
    }
