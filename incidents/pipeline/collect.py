"""Step 3: gather the evidence while it is fresh, bounded and redacted, each piece with an id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from incidents.engine.exhibits import Exhibit, bounded, exhibits_of
from incidents.engine.facts import Facts
from incidents.engine.redaction import Redactor
from incidents.models import Evidence, Incident
from incidents.pipeline import history, impact
from incidents.pipeline.observing import Seen, look
from incidents.pipeline.packs import exchange_from, failure_from
from incidents.pipeline.tools import Tools
from incidents.states import Status, Step
from incidents.timeline import note
from incidents.values import EvidenceItem, EvidencePack
from monitoring import recorder, resources, snapshots
from monitoring.judging_resources import RESOURCES
from monitoring.models import Blob, Snapshot
from monitoring.values import Tree

THREADS = 5
UNREADABLE = "unreadable"


def collect(incident: Incident, tools: Tools) -> None:
    """Write one Evidence row with all that can be seen of the failure, and go on to the diagnosis.

    What cannot be read becomes a piece of evidence itself ("the log cannot be read: ..."), never an error.
    """
    started = timezone.now()
    if incident.status != Status.INVESTIGATING:
        with transaction.atomic():
            incident.move(status=Status.INVESTIGATING, step=Step.COLLECT)
    spec, failure = incident.service.spec(), failure_from(incident.failure)
    pool = ThreadPoolExecutor(THREADS)
    try:
        looking = look(pool, spec, tools.reader(spec), failure)
        row = _row(incident)  # read from the database meanwhile
        past = [*_by_the_minute(incident), *history.exhibits_of(incident, row.pack["similar"])]
        seen = looking.result()
    finally:
        # Without waiting: what was asked of a hanging service to see its stacks hangs too, and needs no answer.
        pool.shutdown(wait=False)
    last_good = _last_good(incident, seen)
    trees = (seen.tree or {}, last_good.tree() if last_good else None)
    _fill(row, seen, last_good)
    row.items = _items(Facts(_pack(row, trees, seen)), seen, past)
    with transaction.atomic():
        row.current = Blob.keep(trees[0])
        row.save(force_insert=True)
        incident.move(status=Status.INVESTIGATING, step=Step.DIAGNOSE)
        note(incident, "evidence", "Evidence collected.", started=started)


def _last_good(incident: Incident, seen: Seen) -> Snapshot | None:
    """Return what to compare with: last known good, but never the failing version itself.

    Probes may have found a version well, and kept it, before the first user met what is broken in it.
    """
    latest = snapshots.latest(incident.service)
    if latest is None or not incident.failure.get("watch") or seen.tree is None:
        return latest
    present = snapshots.tree_digest({path: Blob.digest(data) for path, data in seen.tree.items()})
    is_kept = (latest.digest, latest.environment) == (present, incident.service.environment)
    return (snapshots.before(latest) if is_kept else None) or latest


def _row(incident: Incident) -> Evidence:
    """Return the unsaved row with what the database knows: recorded requests, measured impact, the past."""
    now = timezone.now()
    since = (incident.failed_since or incident.detected_at) - timedelta(seconds=30)
    failing, good = recorder.freeze(incident.service, since=since, now=now)
    return Evidence(
        incident=incident,
        attempt=incident.attempt,
        failing=failing,
        good=good,
        environment=dict(incident.service.environment),
        pack={
            "measured": impact.measured(incident, now=now),
            "similar": history.similar(incident),
        },
    )


def _by_the_minute(incident: Incident) -> Iterator[Exhibit]:
    if incident.failure.get("watch") != RESOURCES:
        return
    body = resources.by_the_minute(service_id=incident.service_id, now=timezone.now())
    yield Exhibit(
        kind="process",
        title="What the process used, by the minute",
        body=body or "No minute is over yet.",
    )


def _fill(row: Evidence, seen: Seen, last_good: Snapshot | None) -> None:
    row.last_good = last_good.manifest if last_good else None
    row.last_good_environment = last_good.environment if last_good else None
    row.pack |= {
        "process": asdict(seen.process),
        "log_tail": bounded(seen.log, limit=10**6),
        "stacks": bounded(seen.stacks, limit=10**6),
    }


def _pack(row: Evidence, trees: tuple[Tree, Tree | None], seen: Seen) -> EvidencePack:
    """Return the evidence as the engine reads it, before its pieces are put into words."""
    service = row.incident.service
    return EvidencePack(
        service=service.name,
        directory=service.directory,
        is_python=True,
        failure=failure_from(row.incident.failure),
        items=tuple(_unreadable(seen)),
        process=seen.process,
        log_tail=row.pack["log_tail"],
        stacks=row.pack["stacks"],
        current=trees[0],
        last_good=trees[1],
        environment=row.environment,
        last_good_environment=row.last_good_environment,
        editable_globs=tuple(service.editable_globs),
        failing=tuple(exchange_from(raw) for raw in row.failing),
        measured=row.pack["measured"],
    )


def _unreadable(seen: Seen) -> Iterator[EvidenceItem]:
    if seen.problems:
        body = "\n".join(seen.problems)
        yield EvidenceItem(id="", kind=UNREADABLE, title="What could not be read", body=body)


def _items(facts: Facts, seen: Seen, past: Iterable[Exhibit]) -> list[dict[str, Any]]:
    """Return every piece with its id, without secrets; equal secrets stay recognisable as equal."""
    pack = facts.pack
    redactor = Redactor(known={**(pack.last_good_environment or {}), **pack.environment})
    unreadable = (Exhibit(kind=i.kind, title=i.title, body=i.body) for i in pack.items)
    pieces = [*exhibits_of(facts, cpu_share=seen.cpu_share), *past, *unreadable]
    return [
        {
            "id": f"E{number}",
            "kind": piece.kind,
            "title": piece.title,
            "body": redactor.redact(bounded(piece.body)),
        }
        for number, piece in enumerate(pieces, start=1)
    ]
