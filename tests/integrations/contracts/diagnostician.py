"""What every diagnostician keeps (`incidents.ports.Diagnostician`)."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from incidents.ports import DiagnosisError, Diagnostician
from incidents.values import Category, EvidencePack

LIMIT = 20.0


class DiagnosticianContract:
    """Mix in, with fixtures `diagnostician` and `broken` (a stored pack of a shop that asks for a missing key)."""

    def test_it_has_a_name(self, diagnostician: Diagnostician) -> None:
        assert 0 < len(diagnostician.name) <= 40

    def test_it_finds_a_cause_that_fits_the_evidence(
        self, diagnostician: Diagnostician, broken: EvidencePack
    ) -> None:
        found = diagnostician.diagnose(broken)
        assert found.category in Category
        assert found.root_cause.strip()
        assert 0 <= found.certainty <= 1
        assert set(found.cited) <= {item.id for item in broken.items}
        assert (found.file, found.line) == ("handler.py", 7)
        assert 0 < len(found.author) <= 40

    def test_only_a_model_says_that_a_model_answered(
        self, diagnostician: Diagnostician, broken: EvidencePack
    ) -> None:
        found = diagnostician.diagnose(broken)
        assert bool(found.spent.get("model_answered")) == (found.author == "Claude")

    def test_the_same_evidence_gives_the_same_cause(
        self, diagnostician: Diagnostician, broken: EvidencePack
    ) -> None:
        assert diagnostician.diagnose(broken) == diagnostician.diagnose(broken)

    def test_it_leaves_the_evidence_alone(
        self, diagnostician: Diagnostician, broken: EvidencePack
    ) -> None:
        before = (dict(broken.current), dict(broken.last_good or {}), broken.items)
        diagnostician.diagnose(broken)
        assert (dict(broken.current), dict(broken.last_good or {}), broken.items) == before

    @pytest.mark.parametrize(
        "strange",
        [
            {"items": (), "current": {}, "last_good": None, "log_tail": "", "failure_detail": ""},
            {"current": {"handler.py": bytes(range(256)), "config.json": b"{"}, "last_good": {}},
            {"log_tail": "x" * 200_000, "stacks": "\x00\ud7ff\u202e" * 100},
            {"environment": {"A": ""}, "last_good_environment": None, "editable_globs": ()},
        ],
        ids=["nothing", "binary", "long log", "no environment"],
    )
    def test_strange_evidence_ends_in_a_draft_or_in_its_one_error(
        self, strange: dict[str, object], diagnostician: Diagnostician, broken: EvidencePack
    ) -> None:
        fields = {key: value for key, value in strange.items() if key != "failure_detail"}
        began = time.monotonic()
        try:
            found = diagnostician.diagnose(replace(broken, **fields))  # type: ignore[arg-type]
        except DiagnosisError as error:
            assert str(error)  # noqa: PT017 - either way is right
        else:
            assert found.root_cause.strip()
        assert time.monotonic() - began < LIMIT
