"""The two help pages, drawn from the rules themselves so that they cannot drift from what the agent does."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from incidents import confidence
from incidents.models import AgentState
from incidents.queries.proof import TERM_WORDS
from incidents.values import Severity
from monitoring.models import Service
from teams.access import needs
from teams.roles import Verb

WHY = {
    "base": "Every fix starts here.",
    "category": "The kind of failure was recognised.",
    "file": "The cause was traced to a file.",
    "line": "And to a line in it.",
    "trial": "A copy of the service was started with exactly this fix; what failed passes, what worked gives the same answers.",
    "applied": "The fix could be put on the files as they are now.",
    "safety": "No safety reviewer objects, and at least one says yes.",
    "safety score": "The lowest score of the reviewers, as a share of this.",
    "model": "Claude found the cause, not only the built-in rules.",
    "severity": "The worse the failure, the more a mistake would cost.",
    "learning": "How similar fixes turned out; it starts at nothing.",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One term of the score: its name, what it can add, and what earns it."""

    label: str
    value: str
    why: str


@require_safe
@needs(Verb.VIEW)
def decides(request: HttpRequest) -> HttpResponse:
    """Explain the way to a decision: the terms of the score, its thresholds, and who is asked."""
    context = {
        "lines": terms(),
        "penalties": [
            (level.value.capitalize(), _signed(-cost)) for level, cost in confidence.PENALTY.items()
        ],
        "before_learning": confidence.CAP_BEFORE_LEARNING,
        "most": confidence.CAP,
        **_thresholds(),
    }
    return render(request, "help/decides.html", context)


@require_safe
@needs(Verb.VIEW)
def alone(request: HttpRequest) -> HttpResponse:
    """Say what the agent may do without a person: the conditions, and what each service allows."""
    context = {
        "services": [_allowance(service) for service in Service.objects.all()],
        "forbidden": AgentState.now().forbids_changes,
        "highest": Severity.MEDIUM.value,
        "watch_minutes": settings.WATCH_WINDOW_SECONDS / 60,
        "trial_valid": settings.TRIAL_VALID_SECONDS,
        "valid_hours": settings.APPROVAL_EXPIRY_SECONDS / 3600,
        **_thresholds(),
    }
    return render(request, "help/alone.html", context)


def terms() -> list[Line]:
    """Return every term of the score in the order in which the incident page shows them."""
    worst = max(confidence.PENALTY.values())
    values = {
        "base": _signed(confidence.BASE),
        "category": _signed(confidence.CATEGORY),
        "file": _signed(confidence.FILE),
        "line": _signed(confidence.LINE),
        "trial": _signed(confidence.TRIAL_PASSED),
        "applied": _signed(confidence.FIX_APPLIED),
        "safety": _signed(confidence.SAFETY_PASSED),
        "model": _signed(confidence.MODEL_ANSWERED),
        "safety score": f"0 to {_signed(confidence.SAFETY_SHARE)}",
        "severity": f"0 to {_signed(-worst)}",
        "learning": f"{_signed(-confidence.LEARNING_LIMIT)} to {_signed(confidence.LEARNING_LIMIT)}",
    }
    return [
        Line(label=TERM_WORDS[name], value=value, why=WHY[name]) for name, value in values.items()
    ]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}") if value else "0"


def _thresholds() -> dict[str, float]:
    return {"auto_at": settings.AUTO_FIX_THRESHOLD, "ask_at": settings.ESCALATION_THRESHOLD}


def _allowance(service: Service) -> dict[str, object]:
    ceiling = min(Severity(service.auto_ceiling), Severity.MEDIUM, key=lambda level: level.rank)
    alone = service.autonomy == Service.Autonomy.AUTO and not service.paused and service.enabled
    return {
        "service": service,
        "mode": _mode(service),
        "alone": f"{service.auto_threshold:.2f} and severity {ceiling.value} or lower"
        if alone
        else "",
        "limits": f"{service.limit_per_fingerprint} of one cause, {service.limit_per_service} in all",
        "files": ", ".join(service.editable_globs) or "none",
    }


def _mode(service: Service) -> str:
    if not service.enabled:
        return "not watched"
    if service.paused:
        return "paused"
    return "in maintenance" if service.in_maintenance else service.autonomy
