"""Figures in Prometheus' text format (version 0.0.4), counted when asked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Count, Sum
from django.utils import timezone

from agentops_site import broker
from incidents.models import Deployment, Incident
from incidents.states import Status
from monitoring.models import ProbeMinute, ServiceHealth
from monitoring.values import Health

Sample = tuple[dict[str, str], float]


def text() -> str:
    """Return every figure; five queries and one round trip to the broker."""
    asked = broker.state()
    parts = [
        _family("agentops_incidents", "Incidents by status.", _incidents()),
        _family("agentops_services", "Services by health.", _services()),
        _family(
            "agentops_probes_total", "Probes since each service was added.", _probes(), "counter"
        ),
        _family("agentops_probe_failures_5m", "Failed probes in five minutes.", _failures()),
        _family("agentops_deployments", "Deployments by state and by who decided.", _deployments()),
        _family("agentops_broker_up", "Whether the broker answers.", [({}, asked.answers)]),
        _family("agentops_worker_up", "Whether a worker lives.", _by_queue(asked.alive)),
        _family("agentops_queue_length", "Tasks that wait.", _by_queue(asked.waiting)),
    ]
    return "".join(parts)


def _family(name: str, words: str, samples: Iterable[Sample], kind: str = "gauge") -> str:
    lines = [f"# HELP {name} {words}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(
            f"{name}{{{inside}}} {float(value):g}" if inside else f"{name} {float(value):g}"
        )
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _incidents() -> Iterable[Sample]:
    counted = dict(Incident.objects.order_by().values_list("status").annotate(Count("id")))
    return [({"status": status.value}, counted.get(status.value, 0)) for status in Status]


def _services() -> Iterable[Sample]:
    counted = dict(ServiceHealth.objects.order_by().values_list("state").annotate(Count("id")))
    return [({"health": health.value}, counted.get(health.value, 0)) for health in Health]


def _probes() -> Iterable[Sample]:
    rows = ServiceHealth.objects.order_by().values_list("service__slug", "probes")
    return [({"service": slug}, probes) for slug, probes in rows]


def _failures() -> Iterable[Sample]:
    since = timezone.now() - timedelta(minutes=5)
    found = ProbeMinute.objects.filter(minute__gte=since).order_by().values_list("service__slug")
    return [({"service": slug}, total) for slug, total in found.annotate(Sum("failures"))]


def _deployments() -> Iterable[Sample]:
    rows = Deployment.objects.order_by().values_list("state", "automatic").annotate(Count("id"))
    by = {True: "agent", False: "person"}
    return [({"state": state, "by": by[auto]}, count) for state, auto, count in rows]


def _by_queue(values: dict[str, bool] | dict[str, int]) -> Iterable[Sample]:
    return [({"queue": queue}, value) for queue, value in values.items()]
