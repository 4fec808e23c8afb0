"""Step 3: gather the evidence while it is fresh, bounded and redacted, each piece with an id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from incidents.engine import patches
from incidents.engine.redaction import redact
from incidents.models import Deployment, Evidence, Incident
from incidents.pipeline.tools import Tools
from incidents.states import Status, Step
from incidents.timeline import note
from monitoring import recorder, snapshots
from monitoring.models import Blob, ProbeMinute, Snapshot
from monitoring.ports import TargetError, TargetReader
from monitoring.values import ProcessState, ServiceSpec, Symptom, Tree

LOG_BYTES = 64_000
BODY_CHARACTERS = 20_000
WANTS_STACK = {Symptom.TIMEOUT, Symptom.SLOW}


def collect(incident: Incident, tools: Tools) -> None:
    """Write one Evidence row with all that can be seen of the failure, and go on to the diagnosis.

    What cannot be read becomes a piece of evidence itself ("the log cannot be read: ..."), never an error.
    """
    started = timezone.now()
    if incident.status != Status.INVESTIGATING:
        with transaction.atomic():
            incident.move(status=Status.INVESTIGATING, step=Step.COLLECT)
    spec = incident.service.spec()
    seen = _look(incident, spec, tools.reader(spec))
    last_good = snapshots.latest(incident.service)
    since = (incident.failed_since or incident.detected_at) - timedelta(seconds=30)
    failing, good = recorder.freeze(incident.service, since=since, now=started)
    with transaction.atomic():
        Evidence.objects.create(
            incident=incident,
            attempt=incident.attempt,
            items=_items(incident, seen, last_good),
            pack={
                "process": asdict(seen["process"]),
                "log_tail": seen["log"],
                "stacks": seen["stacks"],
                "measured": _measured(incident),
                "similar": _similar(incident),
            },
            current=Blob.keep(seen["tree"]),
            last_good=last_good.manifest if last_good else None,
            environment=dict(spec.environment),
            last_good_environment=last_good.environment if last_good else None,
            failing=failing,
            good=good,
        )
        incident.move(status=Status.INVESTIGATING, step=Step.DIAGNOSE)
        note(incident, "evidence", "Evidence collected.", started=started)


def _look(incident: Incident, spec: ServiceSpec, reader: TargetReader) -> dict[str, Any]:
    """Read the process, log, stacks and files; a part that cannot be read says why in its place."""
    problems: list[str] = []

    def attempt(what: str, read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except TargetError as error:
            problems.append(f"{what}: {error}")
            return otherwise

    process = attempt("process", lambda: reader.process(spec), ProcessState())
    wants_stack = incident.failure.get("symptom") in WANTS_STACK and process.state != "T"
    return {
        "process": process,
        "log": attempt("log", lambda: reader.read_log(spec, LOG_BYTES), b"").decode(
            "utf-8", "replace"
        ),
        "stacks": attempt("stack", lambda: reader.stack(spec), "") if wants_stack else "",
        "tree": attempt("files", lambda: reader.read_tree(spec), {}),
        "problems": problems,
    }


def _items(
    incident: Incident, seen: dict[str, Any], last_good: Snapshot | None
) -> list[dict[str, Any]]:
    failure = incident.failure
    answer = f"{failure.get('method', '')} {failure.get('path', '')} -> {failure.get('status') or failure['symptom']}"
    rows: list[tuple[str, str, str]] = [
        ("answer", "The failing observation", f"{answer}\n{failure.get('detail', '')}"),
        ("traceback", "Traceback", failure.get("traceback", "")),
        ("process", "Process", _lines(asdict(seen["process"]))),
        ("log", "Log before the failure", seen["log"][-BODY_CHARACTERS:]),
        ("stack", "Stacks of the running process", seen["stacks"]),
        ("changes", "Changes since last known good", _changes(last_good, seen["tree"])),
        ("environment", "Environment changes", _environment(incident, last_good)),
        ("deployments", "Deployments of the last day", _deployments(incident)),
        ("unreadable", "What could not be read", "\n".join(seen["problems"])),
    ]
    kept = [row for row in rows if row[2].strip()]
    return [
        {"id": f"E{index}", "kind": kind, "title": title, "body": redact(body[:BODY_CHARACTERS])}
        for index, (kind, title, body) in enumerate(kept, start=1)
    ]


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(f"{key}: {value}" for key, value in values.items() if value is not None)


def _changes(last_good: Snapshot | None, tree: Tree) -> str:
    if last_good is None:
        return "There is no last known good state yet."
    before = last_good.tree()
    after = {path: tree.get(path) for path in {*before, *tree}}
    return patches.unified_diff(before, after) or "No file changed since last known good."


def _environment(incident: Incident, last_good: Snapshot | None) -> str:
    if last_good is None or last_good.environment == incident.service.environment:
        return ""
    names = set(last_good.environment) | set(incident.service.environment)
    now = incident.service.environment
    changed = sorted(n for n in names if last_good.environment.get(n) != now.get(n))
    return "Changed variables: " + ", ".join(changed)


def _deployments(incident: Incident) -> str:
    recent = Deployment.objects.filter(
        incident__service=incident.service, started_at__gte=timezone.now() - timedelta(days=1)
    ).order_by("-id")[:10]
    return "\n".join(f"{d.started_at:%H:%M:%S} {d.state} for #{d.incident_id}" for d in recent)


def _measured(incident: Incident) -> dict[str, Any]:
    """Return the measured numbers of the last ten minutes of probing."""
    since = timezone.now() - timedelta(minutes=10)
    minutes = list(ProbeMinute.objects.filter(service=incident.service, minute__gte=since))
    return {
        "since": (incident.failed_since or incident.detected_at).isoformat(),
        "probes": sum(row.count for row in minutes),
        "failed_probes": sum(row.failures for row in minutes),
    }


def _similar(incident: Incident) -> list[dict[str, Any]]:
    past = (
        Incident.objects.filter(fingerprint=incident.fingerprint)
        .exclude(pk=incident.pk)
        .order_by("-id")[:5]
    )
    return [
        {"id": p.pk, "status": p.status, "title": p.title, "ended": str(p.ended_at or "")}
        for p in past
    ]
