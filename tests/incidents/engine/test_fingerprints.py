"""One incident per cause: the same cause keeps its name, another cause gets its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidents.engine.fingerprints import fingerprint, route, stable
from incidents.values import Failure
from tests.incidents.engine.snippets import RAISERS, run


def error(traceback: str, **more: object) -> Failure:
    return Failure(symptom="http_error", status=500, traceback=traceback, **more)  # type: ignore[arg-type]


def test_an_edit_above_another_folder_path_or_id_is_no_new_cause(tmp_path: Path) -> None:
    source = "def f(key):\n    return {}[key]\nf('{key}')\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = run(tmp_path / "a", source.replace("{key}", "order-17"))
    second = run(tmp_path / "b", "import os\n\n" + source.replace("{key}", "order-18"))
    assert first != second
    assert fingerprint("shop", error(first, path="/api/orders/17")) == fingerprint(
        "shop", error(second, path="/api/users?x=1")
    )


def test_every_kind_of_exception_has_its_own_name(tmp_path: Path) -> None:
    names = {
        fingerprint("shop", error(run(tmp_path, source))) for _type, source in RAISERS.values()
    }
    assert (
        len(names) >= len(RAISERS) - 4
    )  # four share type, file and function with another by their nature


def test_the_service_is_part_of_the_name(tmp_path: Path) -> None:
    failure = error(run(tmp_path, "1 / 0\n"))
    assert fingerprint("shop", failure) != fingerprint("desk", failure)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Failure(symptom="slow", latency_ms=3100), Failure(symptom="timeout", latency_ms=5000.2)),
        (Failure(symptom="refused", detail="port 3000"), Failure(symptom="no_process", detail="pid 7")),
        (Failure(symptom="http_error", status=500, path="/api/orders/1"),
         Failure(symptom="http_error", status=500, path="/api/orders/2?page=3")),
        (Failure(symptom="wrong_answer", detail="stock of 5 is -1 at 12:30:01", path="/p"),
         Failure(symptom="wrong_answer", detail="stock of 9 is -4 at 12:31:07", path="/p")),
    ],
)  # fmt: skip
def test_two_sightings_of_one_cause_share_a_name(one: Failure, other: Failure) -> None:
    assert fingerprint("shop", one) == fingerprint("shop", other)


def test_different_causes_without_a_traceback_differ() -> None:
    failures = [
        Failure(symptom="slow"),
        Failure(symptom="stopped"),
        Failure(symptom="refused"),
        Failure(symptom="bad_config"),
        Failure(symptom="http_error", status=500, path="/api/orders"),
        Failure(symptom="http_error", status=500, path="/api/users"),
        Failure(symptom="http_error", status=503, path="/api/users"),
        Failure(symptom="http_error", status=500, error_type="KeyError"),
        Failure(symptom="http_error", status=500, error_type="HTTP 500", path="/a"),
        Failure(symptom="http_error", status=500, error_type="HTTP 500", path="/b"),
        Failure(symptom="subsystem", detail="'database' does not answer"),
        Failure(symptom="subsystem", detail="'payment' does not answer"),
        Failure(symptom="wrong_answer", detail="stock negative", path="/api/products"),
        Failure(symptom="something_new"),
    ]
    assert len({fingerprint("shop", failure) for failure in failures}) == len(failures)


def test_what_varies_is_taken_out_of_texts() -> None:
    assert stable("Order 'A-1' at 2026-01-02T03:04:05.678Z took 12.5 ms <obj at 0x7f00aa>") == (
        "Order <value> at <time> took <n> ms <obj at <address>>"
    )
    assert (
        stable("id 3f2b8c1e-9d4a-4e2b-8a57-1c2d3e4f5a6b in /srv/data/x.db") == "id <id> in <path>"
    )
    assert route("/api/orders/17/lines?x=2") == "/api/orders/<n>/lines"
