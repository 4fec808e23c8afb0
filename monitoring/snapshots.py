"""Last known good: the files and environment under which a service was proven healthy."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from monitoring import providers, realtime
from monitoring.models import Blob, Service, ServiceHealth, Snapshot
from monitoring.ports import TargetError
from monitoring.trees import Look, is_code, look
from monitoring.values import Health, Tree

log = logging.getLogger(__name__)

MOST_AT_ONCE = 50
"""How many services one beat looks at; with more of them, each is looked at every so many beats."""

KEPT_PER_SERVICE = 20
_lock = threading.Lock()
_kept: dict[int, str] = {}
_last_id = 0


def latest(service: Service) -> Snapshot | None:
    """Return the newest last known good, or None while there is none."""
    return Snapshot.objects.filter(service=service).order_by("-id").first()


def before(snapshot: Snapshot) -> Snapshot | None:
    """Return the newest older one with other files or another environment, or None.

    What probes find well may have failed its users since it was changed: such a failure compares with what was before.
    """
    older = Snapshot.objects.filter(service=snapshot.service_id, pk__lt=snapshot.pk).order_by("-id")
    own = (snapshot.digest, snapshot.environment)
    return next((one for one in older if (one.digest, one.environment) != own), None)


def keep_last_known_good(*, now: datetime, service_ids: Sequence[int] | None = None) -> int:
    """Store the tree of each healthy service that is proven on it; return how many snapshots that made.

    Proven means: as many healthy probes in a row as the service asks for, begun after the tree was last changed, and
    answered by a process that was started after its code was last changed. Without `service_ids` the next
    `MOST_AT_ONCE` services are looked at.
    """
    if service_ids is not None and not service_ids:
        return 0
    return sum(_keep_one(health, now) for health in _candidates(service_ids))


def capture(*, service: Service, reason: str, now: datetime) -> Snapshot | None:
    """Store the service's present tree as last known good, for a deploy that stood its watch window.

    Returns the newest snapshot when the tree equals it, and None when the service is not healthy or cannot be read:
    a failing tree never becomes last known good.
    """
    spec = service.spec()
    try:
        tree = providers.reader(spec).read_tree(spec)
    except TargetError as error:
        log.warning("No snapshot of %s: %s", service.slug, error)
        return None
    with transaction.atomic():
        healthy = ServiceHealth.objects.filter(service=service, state=Health.HEALTHY)
        if not healthy.exists():
            return None
        return _store(service, tree, reason=reason, now=now)


def tree_digest(manifest: dict[str, str]) -> str:
    """Return the digest of a manifest (path -> sha256): sha256 of its canonical JSON."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _candidates(service_ids: Sequence[int] | None) -> list[ServiceHealth]:
    global _last_id
    healthy = (
        ServiceHealth.objects.filter(service__enabled=True)
        .exclude(state__in=[Health.DOWN, Health.DEGRADED])
        .select_related("service")
        .order_by("service_id")
    )
    if service_ids is not None:
        return list(healthy.filter(service_id__in=service_ids))
    with _lock:
        found = list(healthy.filter(service_id__gt=_last_id)[:MOST_AT_ONCE])
        _last_id = found[-1].service_id if len(found) == MOST_AT_ONCE else 0
    return found


def _keep_one(health: ServiceHealth, now: datetime) -> bool:
    service = health.service
    if service.runtime != Service.Runtime.LOCAL:
        return False  # captured by a deploy: reading a remote tree every few seconds would cost more than it proves
    seen = look(service.spec())
    if seen.signature != health.tree_signature:
        ServiceHealth.objects.filter(pk=health.pk).update(
            tree_signature=seen.signature, tree_since=now, tree_probes=health.probes
        )
        return False
    if _kept.get(service.pk) == seen.signature or not _is_probed(health):
        return False
    try:
        return _keep_proven(health, seen, now)
    except TargetError as error:
        log.warning("No last known good of %s: %s", service.slug, error)
        return False


def _is_probed(health: ServiceHealth) -> bool:
    """Return whether enough healthy probes in a row have begun since the tree was first seen like this."""
    needed = max(1, health.service.healthy_before_snapshot)
    began_after = (
        health.last_probe_at is not None
        and health.tree_since is not None
        and health.last_probe_at > health.tree_since
    )
    proofs = min(health.successes_in_row, health.probes - health.tree_probes)
    return health.state == Health.HEALTHY and began_after and proofs >= needed


def _keep_proven(health: ServiceHealth, seen: Look, now: datetime) -> bool:
    service, spec = health.service, health.service.spec()
    tree = providers.reader(spec).read_tree(spec)
    before = latest(service)
    if look(spec).signature != seen.signature or not tree:
        return False  # changed while it was read
    if not _process_runs_this(health, seen, before, tree):
        return False
    still = {"state": Health.HEALTHY, "tree_signature": seen.signature, "failures_in_row": 0}
    with transaction.atomic():
        if not ServiceHealth.objects.filter(pk=health.pk, **still).exists():
            return False
        kept = _store(service, tree, reason="healthy", now=now)
    _kept[service.pk] = seen.signature
    return before is None or kept.pk != before.pk


def _process_runs_this(
    health: ServiceHealth, seen: Look, before: Snapshot | None, tree: Tree
) -> bool:
    """Return whether the process that answered was started on this code.

    A code change without a restart is not proven by the old process, however healthy it is. Code that equals the
    snapshot before needs no new proof, and config is read while the process runs. Of a process that is not ours the
    start is unknown: then the service must have come back healthy after the change.
    """
    old = before.manifest if before else {}
    same = frozenset(path for path, data in tree.items() if old.get(path) == Blob.digest(data))
    newest = seen.newest_code(unchanged=same)
    spec = health.service.spec()
    process = providers.reader(spec).process(spec)
    if _needs_restart(before, health.service, tree) and health.tree_since is not None:
        newest = max(newest, health.tree_since.timestamp())
    if process.phase == "running" and process.started_at is not None:
        return process.started_at > newest
    return before is None or health.since.timestamp() > newest


def _needs_restart(before: Snapshot | None, service: Service, tree: Tree) -> bool:
    """Return whether something changed that no file's time tells: code was deleted, or the environment is another."""
    if before is None:
        return False
    deleted = any(is_code(path) for path in before.manifest if path not in tree)
    return deleted or before.environment != service.environment


def _store(service: Service, tree: Tree, *, reason: str, now: datetime) -> Snapshot:
    manifest = Blob.keep(tree)
    digest, environment = tree_digest(manifest), dict(service.environment)
    newest = latest(service)
    if newest is not None and (newest.digest, newest.environment) == (digest, environment):
        return newest
    made = Snapshot.objects.create(
        service=service,
        digest=digest,
        manifest=manifest,
        environment=environment,
        reason=reason,
        created_at=now,
    )
    old = Snapshot.objects.filter(service=service).order_by("-id")[KEPT_PER_SERVICE:]
    Snapshot.objects.filter(pk__in=[one.pk for one in old]).delete()
    realtime.publish("snapshot", {"service_id": service.pk, "slug": service.slug, "digest": digest})
    return made
