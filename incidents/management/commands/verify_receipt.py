"""`verify_receipt INCIDENT`: check the receipts of an incident against their digests, their fixes and themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.engine import receipts
from incidents.models import Fix, Incident, Trial
from incidents.values import digest_of
from monitoring.models import Blob


class Command(BaseCommand):
    """Prints what each receipt proves; exits with an error when one does not prove what it claims."""

    help = "Check the trial receipts of an incident: digests, bytes, and whether the claim follows from the facts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the number of the incident."""
        parser.add_argument("incident", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Check every receipt of the incident."""
        incident = Incident.objects.filter(pk=options["incident"]).first()
        if incident is None:
            raise CommandError(f"There is no incident {options['incident']}.")
        trials = Trial.objects.filter(fix__incident=incident).select_related("fix").order_by("id")
        if not trials:
            raise CommandError(f"Incident {incident.pk} has no receipt yet.")
        bad = 0
        for trial in trials:
            problems = list(problems_of(trial))
            bad += bool(problems)
            self.stdout.write(_line(trial))
            for problem in problems:
                self.stdout.write(f"  PROBLEM: {problem}")
        if bad:
            raise CommandError(f"{bad} of {len(trials)} receipts do not prove what they claim.")


def problems_of(trial: Trial) -> Iterator[str]:
    """Yield what is wrong with a stored receipt: its own facts, and its bonds to the fix and the bytes."""
    fix, body = trial.fix, trial.receipt
    bonds = [
        (digest_of(body) == trial.digest, "the receipt was changed after it was written"),
        (body.get("fix") == fix.digest, "it names another fix"),
        (body.get("base") == fix.base_digest, "it names other base files"),
        (body.get("passed") == trial.passed, "its row says something else than the receipt"),
        (_digest(fix) == fix.digest, "the fix was changed after it was written"),
        (_bytes_are_kept(fix), "bytes of the fix are missing or are not what they are named"),
    ]
    yield from (problem for holds, problem in bonds if not holds)
    yield from receipts.check(body)


def _digest(fix: Fix) -> str:
    parts = {"actions": fix.actions, "writes": fix.writes, "environment": fix.environment}
    return digest_of(parts)


def _bytes_are_kept(fix: Fix) -> bool:
    wanted = {sha for both in fix.writes.values() for sha in both.values() if sha}
    blobs = Blob.objects.in_bulk(wanted)
    return all(sha in blobs and Blob.digest(bytes(blobs[sha].data)) == sha for sha in wanted)


def _line(trial: Trial) -> str:
    word = {True: "passed", False: "failed", None: "not possible"}[trial.passed]
    requests = trial.receipt.get("requests", [])
    ok = sum(line["verdict"] == "ok" for line in requests)
    minimal = " (proved minimal)" if trial.fix.proved_minimal else ""
    return f"{trial.digest[:12]} of fix {trial.fix.digest[:12]}: {word}, {ok} of {len(requests)} requests ok{minimal}"
