"""Faults go into a real running shop, show the symptom that they promise, and come out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from monitoring import providers, queries
from monitoring.faults.catalogue import all_faults
from monitoring.faults.injection import FaultRefused, UnknownFault, inject, restore, settle
from monitoring.models import FaultInjection, Service
from monitoring.ports import TargetError
from monitoring.values import HttpRequest, Tree
from teams.models import AuditEntry, User
from tests.monitoring.faults.conftest import status
from tests.monitoring.runtime.helpers import until

See = Callable[[Service], bool]


def put(service: Service, fault: str) -> FaultInjection:
    return inject(service=service, fault=fault, actor=None, now=timezone.now())


def put_back(service: Service) -> int:
    return restore(service=service, actor=None, now=timezone.now())


def tree(service: Service) -> Tree:
    return providers.reader(service.spec()).read_tree(service.spec())


def file(service: Service, name: str) -> Path:
    return Path(service.directory) / name


def body(service: Service, path: str = "/health") -> bytes:
    spec = service.spec()
    return providers.reader(spec).request(spec, HttpRequest(path=path), 4.0).body


def phase(service: Service) -> str:
    return providers.reader(service.spec()).process(service.spec()).phase


def memory(service: Service) -> int:
    return providers.reader(service.spec()).process(service.spec()).memory_bytes or 0


def leaks_memory(service: Service) -> bool:
    return status(service) == 200 and memory(service) > 60_000_000


def leaks_files(service: Service) -> bool:
    state = providers.reader(service.spec()).process(service.spec())
    return status(service) == 200 and (state.open_files or 0) > 40


def logs_much(service: Service) -> bool:
    answered = [status(service) for _ in range(3)] == [200] * 3
    return answered and b"still routing" in log_end(service, 350)


def log_end(service: Service, size: int) -> bytes:
    return providers.reader(service.spec()).read_log(service.spec(), size)


def products(service: Service) -> list[dict[str, Any]]:
    try:
        return list(json.loads(body(service, "/api/products"))["items"])
    except ValueError:
        return []


def totals_are_wrong(service: Service) -> bool:
    two = products(service)[:2]
    cart = {"items": [{"product_id": product["id"], "quantity": 1} for product in two]}
    asked = HttpRequest(
        method="POST",
        path="/api/quote",
        headers={"Content-Type": "application/json"},
        body=json.dumps(cart).encode(),
    )
    spec = service.spec()
    answer = providers.reader(spec).request(spec, asked, 4.0)
    right = sum(product["price_cents"] for product in two)
    return answer.status == 200 and json.loads(answer.body)["subtotal_cents"] != right


def stock_is_negative(service: Service) -> bool:
    return any(product["stock"] < 0 for product in products(service))


SYMPTOMS: dict[str, See] = {
    "bug": lambda s: status(s) == 500 and b"NameError" in body(s),
    "slow": lambda s: status(s) == "timeout",
    "crash": lambda s: status(s) == "refused" and phase(s) == "exited",
    "bad_config": lambda s: status(s) == 503 and b"not valid JSON" in body(s),
    "freeze": lambda s: status(s) == "timeout" and phase(s) == "running",
    "wrong_total": totals_are_wrong,
    "negative_stock": stock_is_negative,
    "memory_leak": leaks_memory,
    "slow_query": lambda s: status(s) == 200 and status(s, "/api/products") == "timeout",
    "dependency_down": lambda s: status(s) == 503 and b"DependencyError" in body(s),
    "bad_flag": lambda s: status(s) == 503 and b"gift_wrap" in body(s),
    "wrong_value": lambda s: status(s) == 503 and b"tax_rates" in body(s),
    "disk_full": lambda s: status(s) == 503 and b"StorageFullError" in body(s),
    "crash_loop": lambda s: phase(s) == "exited",
    "deadlock": lambda s: status(s) == "timeout" and phase(s) == "running",
    "log_spam": logs_much,
    "log_instruction": lambda s: status(s) == 500 and b"ignore all previous" in body(s),
    "syntax": lambda s: phase(s) == "exited",
    "wrong_type": lambda s: status(s) == 200 and status(s, "/api/products/stoneware-mug") == 500,
    "fd_leak": leaks_files,
}


@pytest.mark.parametrize("fault", SYMPTOMS)
def test_each_fault_shows_its_symptom_and_comes_out_again(shop: Service, fault: str) -> None:
    before = tree(shop)
    injection = put(shop, fault)
    until(lambda: SYMPTOMS[fault](shop), 20)
    assert put_back(shop) == 1
    until(lambda: status(shop) == 200)
    assert not SYMPTOMS[fault](shop)
    assert tree(shop) == before
    injection.refresh_from_db()
    assert injection.restored_at


def test_every_fault_of_the_catalogue_has_a_symptom_here() -> None:
    assert {fault.name for fault in all_faults()} == set(SYMPTOMS)


def test_three_faults_come_out_at_once_and_others_edits_stay(shop: Service) -> None:
    notes = b"# a note of somebody else\n"
    handler = file(shop, "handler.py")
    before = handler.read_bytes()
    put(shop, "bug")
    handler.write_bytes(notes + handler.read_bytes() + notes)
    put(shop, "deadlock")
    put(shop, "bad_config")
    assert put_back(shop) == 3
    assert handler.read_bytes() == notes + before + notes
    until(lambda: status(shop) == 200)
    assert put_back(shop) == 0


def test_everything_is_put_back_when_the_service_is_dead_and_its_files_are_gone(
    shop: Service,
) -> None:
    before = tree(shop)
    put(shop, "bug")
    put(shop, "bad_config")
    put(shop, "crash")
    file(shop, "handler.py").unlink()
    file(shop, "config.json").unlink()
    assert put_back(shop) == 3
    assert tree(shop) == before
    until(lambda: status(shop) == 200)


def test_a_fault_that_was_healed_already_changes_nothing(shop: Service) -> None:
    before = file(shop, "handler.py").read_bytes()
    put(shop, "bug")
    file(shop, "handler.py").write_bytes(before + b"\n# and a fix of ours\n")
    assert put_back(shop) == 1
    assert file(shop, "handler.py").read_bytes() == before + b"\n# and a fix of ours\n"


def test_refusals_say_why_and_change_nothing(shop: Service) -> None:
    with pytest.raises(UnknownFault, match="Known: bug"):
        put(shop, "no-such-fault")
    put(shop, "bug")
    with pytest.raises(FaultRefused, match="in it already"):
        put(shop, "bug")
    put(shop, "crash")
    with pytest.raises(TargetError, match="no running process"):
        put(shop, "crash")
    assert [one.fault for one in shop.injections.all()] == ["crash", "bug"]


def test_only_a_demo_service_is_broken_on_purpose(shop: Service) -> None:
    shop.is_demo = False
    for act in (lambda: put(shop, "crash"), lambda: put_back(shop)):
        with pytest.raises(FaultRefused, match="no demo service"):
            act()
    assert status(shop) == 200


def test_who_broke_it_is_on_record(shop: Service, shweta: User) -> None:
    inject(service=shop, fault="bad_config", actor=shweta, now=timezone.now())
    restore(service=shop, actor=shweta, now=timezone.now())
    trail = AuditEntry.objects.filter(actor=shweta.email).order_by("sequence")
    assert [entry.verb for entry in trail] == ["fault.injected", "service.restored"]


def test_the_commands_work_and_refuse(shop: Service, shweta: User, bhumika: User) -> None:
    call_command("inject_fault", shop.slug, "bad_config", "--as", shweta.email)
    until(lambda: status(shop) == 503)
    call_command("restore_service", shop.slug)
    until(lambda: status(shop) == 200)
    for arguments, said in (
        (("inject_fault", "nowhere", "bug"), f"no service 'nowhere'. Known: {shop.slug}"),
        (("inject_fault", shop.slug, "none"), "Known: bug"),
        (("inject_fault", shop.slug, "bug", "--as", "x@example.com"), "no person"),
        (("inject_fault", shop.slug, "bug", "--as", bhumika.email), "may not|ask"),
        (("restore_service", "nowhere"), "no service"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command(*arguments)


def test_a_fault_that_somebody_else_took_out_is_settled(shop: Service) -> None:
    before = file(shop, "handler.py").read_bytes()
    put(shop, "bug")
    assert settle(service=shop, now=timezone.now()) == 0
    file(shop, "handler.py").write_bytes(before)
    assert settle(service=shop, now=timezone.now()) == 1
    assert not shop.injections.filter(restored_at=None).exists()


def test_a_fault_of_which_a_harmless_rest_is_left_is_over_and_can_be_put_in_again(
    shop: Service,
) -> None:
    before = file(shop, "handler.py").read_bytes()
    put(shop, "slow")
    healed = file(shop, "handler.py").read_bytes().replace(b"    time.sleep(10)\n", b"")
    assert healed != before, "its import is still there"
    file(shop, "handler.py").write_bytes(healed)
    assert settle(service=shop, now=timezone.now()) == 1
    assert queries.current_fault(shop) is None
    put(shop, "slow")
    assert b"time.sleep(10)" in file(shop, "handler.py").read_bytes()
    assert queries.current_fault(shop) == "slow"
    file(shop, "handler.py").write_bytes(healed)
    assert settle(service=shop, now=timezone.now()) == 1
    assert put_back(shop) == 1, "the rest was the first one's"
    assert file(shop, "handler.py").read_bytes() == before
    assert put_back(shop) == 0
