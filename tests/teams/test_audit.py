"""The audit trail under attack by someone who has the database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from teams import audit
from teams.models import AuditEntry, AuditHead, AuditIsAppendOnly, MatrixRow, User

pytestmark = pytest.mark.django_db

TABLE = "teams_auditentry"


def sql(*statements: str) -> None:
    """Do what no code of ours would."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def verdict() -> str:
    """Return what `verify_audit` says and check that it fails exactly when the trail is broken."""
    out = StringIO()
    try:
        call_command("verify_audit", stdout=out)
    except CommandError as error:
        return f"exit {error.returncode}: {error}"
    return out.getvalue()


def edit(sequence: int, change: str) -> None:
    """Change one entry behind the product's back."""
    sql(f"UPDATE {TABLE} SET {change} WHERE sequence = {sequence}")  # noqa: S608 - that is the attack


@pytest.fixture
def trail(shweta: User) -> list[AuditEntry]:
    """Return a trail of five entries."""
    return [
        audit.record(
            actor=shweta,
            verb="incident.approved",
            target=f"incident {number}",
            before={"status": "AWAITING_APPROVAL"},
            after={"status": "DEPLOYING"},
            origin="page 127.0.0.1",
        )
        for number in range(1, 6)
    ]


def test_an_untouched_trail_is_whole(trail: list[AuditEntry]) -> None:
    assert verdict() == "The audit trail is whole: 5 entries.\n"
    assert [entry.sequence for entry in trail] == [1, 2, 3, 4, 5]
    assert trail[3].previous_hash == trail[2].hash
    assert audit.verify() == 5


def test_an_empty_trail_is_whole(matrix: None) -> None:
    assert audit.verify() == 0


def test_entries_survive_the_database_unchanged(trail: list[AuditEntry]) -> None:
    stored = AuditEntry.objects.get(sequence=2)
    assert stored.digest() == stored.hash == trail[1].hash
    assert stored.after == {"status": "DEPLOYING"}
    assert stored.actor == "shweta@example.com"


@pytest.mark.parametrize(
    "change",
    [
        "verb = 'incident.rejected'",
        "actor = 'bhumika@example.com'",
        "actor_id = 99",
        "target = 'incident 9'",
        "target_type = 'x'",
        "target_id = '9'",
        "before_json = 'null'",
        """after_json = '{"status":"REJECTED"}'""",
        "origin = ''",
        "at = '2020-01-01 00:00:00'",
    ],
)
def test_an_edit_of_any_column_is_found(trail: list[AuditEntry], change: str) -> None:
    edit(3, change)
    assert verdict().startswith("exit 1: The audit trail is broken: entry 3: edited")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no such values")
def test_a_value_that_cannot_be_read_is_an_edit_not_a_crash(trail: list[AuditEntry]) -> None:
    edit(3, "at = 'never'")
    assert "entry 3: edited, a field cannot be read" in verdict()


ATTACKS = {
    "one deleted": (["DELETE FROM {t} WHERE sequence = 3"], "entry 3: missing; entry 4 follows"),
    "the first deleted": (["DELETE FROM {t} WHERE sequence = 1"], "entry 1: missing"),
    "the last deleted": (["DELETE FROM {t} WHERE sequence = 5"], "entry 5: missing"),
    "the last two deleted": (["DELETE FROM {t} WHERE sequence > 3"], "entry 4: missing"),
    "all deleted": (["DELETE FROM {t}"], "entry 1: missing"),
    "deleted and renumbered": (
        [
            "DELETE FROM {t} WHERE sequence = 3",
            "UPDATE {t} SET sequence = 3 WHERE sequence = 4",
            "UPDATE {t} SET sequence = 4 WHERE sequence = 5",
            "UPDATE teams_audithead SET count = 4",
        ],
        "entry 3: does not follow",
    ),
    "two swapped": (
        [
            "UPDATE {t} SET sequence = 99 WHERE sequence = 2",
            "UPDATE {t} SET sequence = 2 WHERE sequence = 3",
            "UPDATE {t} SET sequence = 3 WHERE sequence = 99",
        ],
        "entry 2: does not follow",
    ),
    "head removed": (["DELETE FROM teams_audithead"], "the head row of the trail is missing"),
    "head count lowered": (["UPDATE teams_audithead SET count = 3"], "entry 4"),
    "head count raised": (["UPDATE teams_audithead SET count = 6"], "entry 6: missing"),
    "head hash changed": (["UPDATE teams_audithead SET hash = 'x'"], "entry 5: the head row"),
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda name: name.replace(" ", "-"))
def test_removing_or_reordering_is_found_and_named(trail: list[AuditEntry], attack: str) -> None:
    statements, expected = ATTACKS[attack]
    sql(*(statement.format(t=TABLE) for statement in statements))
    said = verdict()
    assert said.startswith("exit 1: ")
    assert expected in said


def test_an_entry_put_in_by_hand_is_found(trail: list[AuditEntry]) -> None:
    columns = (
        "at, actor, actor_id, verb, target_type, target_id, target, before_json, after_json, origin"
    )
    sql(
        f"INSERT INTO {TABLE} (sequence, {columns}, previous_hash, hash, seal)"  # noqa: S608
        f" SELECT 6, {columns}, hash, hash, seal FROM {TABLE} WHERE sequence = 5",
        "UPDATE teams_audithead SET count = 6",
    )
    assert "entry 6: edited" in verdict()


def _rehash(first: int) -> None:
    """Compute the chain anew from entry `first` on, as an attacker who read our source would."""
    previous = AuditEntry.objects.get(sequence=first - 1).hash
    for entry in AuditEntry.objects.filter(sequence__gte=first).order_by("sequence"):
        entry.previous_hash = previous
        previous = entry.digest()
        edit(entry.sequence, f"previous_hash = '{entry.previous_hash}', hash = '{previous}'")
    sql(f"UPDATE teams_audithead SET hash = '{previous}'")  # noqa: S608


def test_a_chain_computed_anew_without_our_key_is_found(trail: list[AuditEntry]) -> None:
    edit(3, "actor = 'bhumika@example.com'")
    _rehash(3)
    assert "entry 3: not sealed by this installation" in verdict()


def test_a_changed_secret_key_needs_the_old_one_as_fallback(
    trail: list[AuditEntry], settings: Settings
) -> None:
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    assert "SECRET_KEY_FALLBACKS" in verdict()
    settings.SECRET_KEY_FALLBACKS = [old]
    audit.record(actor="system", verb="x", target="y")
    assert "whole: 6 entries" in verdict()


def test_our_own_code_cannot_change_an_entry(trail: list[AuditEntry]) -> None:
    entry = AuditEntry.objects.get(sequence=3)
    entry.verb = "nothing"
    entries = AuditEntry.objects.filter(sequence=3)
    for attempt in (
        entry.save,
        entry.delete,
        entries.delete,
        lambda: entries.update(verb="nothing"),
        lambda: AuditEntry.objects.bulk_update([entry], ["verb"]),
        lambda: AuditEntry.objects.bulk_create([entry]),
    ):
        with pytest.raises(AuditIsAppendOnly):
            attempt()
    assert audit.verify() == 5


def test_without_its_head_the_trail_takes_no_entry(trail: list[AuditEntry]) -> None:
    AuditHead.objects.all().delete()
    with pytest.raises(audit.AuditBroken, match="head row"):
        audit.record(actor="system", verb="x", target="y")


def test_an_act_that_is_undone_leaves_no_entry(trail: list[AuditEntry]) -> None:
    def act() -> None:
        audit.record(actor="system", verb="x", target="y")
        raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"), transaction.atomic():
        act()
    assert audit.verify() == 5


def test_secrets_are_never_kept(matrix: None) -> None:
    secret = "hunter2hunter2"  # noqa: S105 - what must not be found afterwards
    entry = audit.record(
        actor="system",
        verb="channel.changed",
        target="mail",
        before={"password": secret, "nested": [{"API_KEY": secret, "api_token": secret}]},
        after={
            "smtp": f"smtps://user:{secret}@mail.example.com",
            "Authorization": secret,
            "name": "mail",
            "password": "",
        },
    )
    assert secret not in entry.before_json + entry.after_json
    assert entry.after["name"] == "mail"
    assert entry.after["password"] == "", "that a secret was empty is worth knowing"
    assert entry.before["nested"][0]["API_KEY"] == audit.HIDDEN


def test_awkward_values_are_kept_and_verified(matrix: None, shweta: User) -> None:
    row = MatrixRow.objects.first()
    assert row is not None
    entry = audit.record(
        actor="agent\x00",
        verb="v" * 100,
        target=row,
        before={"at": datetime(2026, 1, 2, tzinfo=UTC), "price": Decimal("1.10"), "n": 1e22},
        after={"text": "\x00 \ud800 ü 😀", "long": "x" * 20_000, "set": {1}},
        origin="o" * 500,
    )
    assert audit.verify() == 1
    assert entry.target_type == "teams.matrixrow"
    assert entry.target_id == str(row.pk)
    assert len(entry.verb) == 60
    stored = AuditEntry.objects.get()
    assert stored.after["long"].endswith("(20000 characters, sha256 " + stored.after["long"][-65:])
    assert json.loads(stored.before_json)["price"] == "1.10"
