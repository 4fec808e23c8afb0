"""Putting a fault into a demo service on purpose, and putting everything back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from monitoring import providers
from monitoring.claims import request_probe
from monitoring.faults.catalogue import Fault, UnknownFault, find
from monitoring.faults.edits import EditDoesNotFit, put_in, stands, take_out
from monitoring.models import Blob, FaultInjection, Service
from monitoring.ports import TargetError
from teams import audit
from teams.models import User

__all__ = ["FaultRefused", "UnknownFault", "inject", "restore", "settle"]
_BY_HAND = "command line"


class FaultRefused(RuntimeError):
    """The fault cannot be put in; the text says why."""


def inject(*, service: Service, fault: str, actor: User | None, now: datetime) -> FaultInjection:
    """Put a fault into a demo service, live, and return its record.

    Whether `actor` may is the caller's question; None stands for the command line. Raises UnknownFault, FaultRefused
    (no demo service, the fault is in already) and TargetError (the runtime could not do it).
    """
    chosen = find(fault)
    _require_demo(service)
    spec = service.spec()
    before = providers.reader(spec).read_tree(spec) if chosen.edits else {}
    try:
        after = put_in(chosen, before)
    except EditDoesNotFit as error:
        raise FaultRefused(f"{chosen.title}: {error}.") from error
    # Written down before the first byte changes: a fault that was cut short can be put back too.
    injection = _record(service, chosen, {path: before[path] for path in after}, actor, now)
    _apply(service, chosen, after, injection)
    return injection


def restore(*, service: Service, actor: User | None, now: datetime) -> int:
    """Take all faults out of a service, start it again, and return how many they were.

    Works on a dead service, on missing files, and after somebody else healed or edited them. Raises FaultRefused (no demo service)
    and TargetError.
    """
    _require_demo(service)
    spec = service.spec()
    in_files = Q(restored_at=None) | Q(leaves_rest=True)
    open_faults = list(service.injections.filter(in_files).order_by("-id"))
    now_bytes = providers.reader(spec).read_tree(spec)
    files = _healed(open_faults, now_bytes)
    changes = {path: data for path, data in files.items() if now_bytes.get(path) != data}
    if changes:
        providers.writer(spec).write(spec, changes)
    providers.writer(spec).restart(spec)
    with transaction.atomic():
        FaultInjection.objects.filter(pk__in=[one.pk for one in open_faults]).update(
            restored_at=now, leaves_rest=False
        )
        audit.record(
            actor=actor or _BY_HAND,
            verb="service.restored",
            target=service,
            before={"faults": [one.fault for one in open_faults]},
            after={"files": sorted(changes)},
        )
    request_probe(service.pk, now=now, deep=True)
    return len(open_faults)


def settle(*, service: Service, now: datetime) -> int:
    """Mark the faults that somebody else took out again (the agent healed them) as gone, and return how many.

    A fault of files is gone when it does not stand in them whole: the smallest fix may leave a part that does no harm. A
    killed or stopped process is, because the caller has just seen the service answer well. Raises TargetError.
    """
    open_faults = list(service.injections.filter(restored_at=None))
    if not open_faults:
        return 0
    tree = providers.reader(service.spec()).read_tree(service.spec())
    gone = [one for one in open_faults if not _is_whole(one, tree)]
    for one in gone:
        one.restored_at, one.leaves_rest = now, _leaves_anything(one, tree)
        one.save(update_fields=["restored_at", "leaves_rest"])
    return len(gone)


def _is_whole(one: FaultInjection, tree: Mapping[str, bytes]) -> bool:
    """Say whether all edits of a fault stand in the files; of one that left the catalogue, whether anything does."""
    try:
        edits = find(one.fault).edits
    except UnknownFault:
        return _leaves_anything(one, tree)
    return bool(edits) and all(stands(edit, tree) for edit in edits)


def _leaves_anything(one: FaultInjection, tree: Mapping[str, bytes]) -> bool:
    """Say whether taking the fault out would change a file."""
    return any(tree.get(path) != data for path, data in _healed([one], tree).items())


def _require_demo(service: Service) -> None:
    if not service.is_demo:
        raise FaultRefused(f"{service.name} is no demo service: faults are for those only.")


def _record(
    service: Service,
    fault: Fault,
    before: Mapping[str, bytes],
    actor: User | None,
    now: datetime,
) -> FaultInjection:
    with transaction.atomic():
        kept = Blob.keep(before)
        injection = FaultInjection.objects.create(
            service=service, fault=fault.name, actor=actor, at=now, kept=kept
        )
        audit.record(
            actor=actor or _BY_HAND,
            verb="fault.injected",
            target=service,
            after={"fault": fault.name, "files": sorted(before)},
        )
    return injection


def _apply(
    service: Service, fault: Fault, after: Mapping[str, bytes], injection: FaultInjection
) -> None:
    spec = service.spec()
    writer = providers.writer(spec)
    try:
        if after:
            writer.write(spec, after)
        if fault.signal:
            writer.kill(spec, fault.signal)
    except TargetError:
        injection.delete()  # writes are whole or not at all: nothing is in
        raise
    if fault.restart:
        writer.restart(spec)


def _healed(open_faults: list[FaultInjection], now_bytes: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return every touched file as it is without the faults, taken out newest first."""
    files: dict[str, bytes] = {}
    for injection in open_faults:
        kept = Blob.read(injection.kept)
        for path, before in kept.items():
            now = files.get(path, now_bytes.get(path))
            files[path] = _without(injection.fault, path, before=before, now=now)
    return files


def _without(name: str, path: str, *, before: bytes, now: bytes | None) -> bytes:
    try:
        fault = find(name)
    except UnknownFault:
        return before  # its file has left the catalogue since
    return take_out(fault, path, before=before, now=now)
