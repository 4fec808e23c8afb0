"""The cause found by experiment, on real copies: several faults at once, causes that lie elsewhere, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from incidents.models import Fix, Incident
from incidents.pipeline import detect
from incidents.states import Status
from monitoring import providers, snapshots
from monitoring.models import Service
from teams.models import User
from tests.incidents.world import answers, insert, probe, restart, run, running_shop, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
BUG = "    ledger_of_visits.append(request)\n"


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop with a last known good state."""
    with running_shop(tmp_path / "shop") as service:
        yield service


def file(service: Service, name: str) -> Path:
    return Path(service.directory, name)


def edit(service: Service, name: str, old: str, new: str) -> None:
    """Replace a text that stands in a file."""
    text = file(service, name).read_text()
    assert old in text
    file(service, name).write_text(text.replace(old, new, 1))


def chosen(incident: Incident) -> Fix:
    return incident.fixes.select_related("trial").get(
        attempt=incident.attempt, state=Fix.State.CHOSEN
    )


def restart_broken(service: Service) -> None:
    """Restart a service that may not come up."""
    providers.writer(service.spec()).restart(service.spec())


def detected(service: Service) -> Incident:
    """Probe until the failure is judged, and return its incident; one that was just started is given its time."""
    wait_for(lambda: probe(service).state in {"down", "degraded"})
    ids = detect.consume_changes(now=timezone.now())
    return Incident.objects.select_related("service").get(pk=ids[-1])


def unrelated_edits(service: Service) -> None:
    """Edit many places that do no harm."""
    for name in ("analytics.py", "cache.py", "users.py", "orders.py"):
        path = file(service, name)
        path.write_text(path.read_text() + f"\n\n# a remark at the end of {name}\n")


def test_a_single_change_is_proved_minimal_without_a_further_copy(
    shop: Service, shweta: User
) -> None:
    unrelated_edits(shop)
    insert(file(shop, "handler.py"), "endpoint, params = ROUTER.find", BUG)
    restart(shop)
    incident = run(detected(shop))
    fix = chosen(incident)
    assert incident.status == Status.RESOLVED, [e.text for e in incident.timeline.all()]
    assert fix.proved_minimal
    minimal = fix.trial.receipt["minimal"]
    assert (minimal["proved"], minimal["copies"], minimal["of"]) == (True, 0, 5)
    assert minimal["left_out"] == [{"change": minimal["changes"][0], "without_it": "fails"}]
    assert "put it back and it fails" in minimal["words"]
    assert "remark" in file(shop, "cache.py").read_text()


def test_a_stored_receipt_is_checked_by_a_command_that_finds_a_changed_one(
    shop: Service, shweta: User
) -> None:
    insert(file(shop, "handler.py"), "endpoint, params = ROUTER.find", BUG)
    restart(shop)
    incident = run(detected(shop))
    said = StringIO()
    call_command("verify_receipt", incident.pk, stdout=said)
    assert "passed, 3 of 3 requests ok (proved minimal)" in said.getvalue()
    trial = chosen(incident).trial
    trial.receipt["requests"][0]["after"]["status"] = 404
    trial.save()
    with pytest.raises(CommandError, match="1 of 1 receipts"):
        call_command("verify_receipt", incident.pk, stdout=said)
    assert "changed after it was written" in said.getvalue()


def test_two_faults_in_two_files_are_both_put_back_and_nothing_else(
    shop: Service, shweta: User
) -> None:
    unrelated_edits(shop)
    insert(file(shop, "handler.py"), "endpoint, params = ROUTER.find", BUG)
    with file(shop, "health.py").open("a") as text:
        text.write("\n\nregistry_of_checks.clear()\n")
    restart_broken(shop)
    incident = run(detected(shop))
    fix = chosen(incident)
    assert fix.trial.passed, fix.trial.reason
    assert fix.proved_minimal
    assert sorted(fix.writes) == ["handler.py", "health.py"]
    minimal = fix.trial.receipt["minimal"]
    assert len(minimal["changes"]) == 2
    assert {row["without_it"] for row in minimal["left_out"]} == {"fails"}
    assert "put any one of them back and it fails" in minimal["words"]


def test_when_the_data_are_at_fault_it_says_that_not_even_last_known_good_starts(
    shop: Service, shweta: User
) -> None:
    unrelated_edits(shop)
    for path in file(shop, "data").glob("*"):
        path.write_bytes(b"this is no database")
    restart_broken(shop)
    incident = run(detected(shop))
    assert incident.status in {Status.ESCALATED, Status.AWAITING_APPROVAL}
    assert not incident.fixes.filter(trial__passed=True).exists()
    texts = " ".join(entry.text for entry in incident.timeline.all())
    assert "not even last known good" in texts
    assert answers(shop) != 200


def test_when_putting_everything_back_does_not_help_it_says_so(shop: Service, shweta: User) -> None:
    """A file that nobody may edit is at fault: the service starts on last known good's files and still fails."""
    unrelated_edits(shop)
    shop.data_globs = ["data/**", "flag.txt"]
    shop.save()
    insert(
        file(shop, "handler.py"),
        "endpoint, params = ROUTER.find",
        "    if __import__('os').path.exists('flag.txt'):\n        raise RuntimeError('flag')\n",
    )
    restart(shop)
    wait_for(lambda: probe(shop).state == "healthy")
    assert snapshots.capture(service=shop, reason="test", now=timezone.now())
    edit(shop, "messages.py", '"""', '"""A harmless word: ')
    file(shop, "flag.txt").write_text("up")
    incident = run(detected(shop))
    assert not incident.fixes.filter(trial__passed=True).exists()
    texts = " ".join(entry.text for entry in incident.timeline.all())
    assert "putting back every change does not heal it" in texts
