"""Real failures of real processes: where and why must be right, and what can be healed must be healed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.engine.diagnostician import BuiltInDiagnostician
from incidents.engine.fix_writer import BuiltInFixWriter
from incidents.values import Category, DiagnosisDraft, EvidencePack, Wishes
from tests.incidents.engine.blind_faults import AGAIN, BLIND
from tests.incidents.engine.cases import evidence, heals
from tests.incidents.engine.faults import CORPUS
from tests.incidents.engine.later_faults import LATER
from tests.incidents.engine.patients import Fault

BLAMES_NOBODY = {
    "dependency",
    "dependency_after_a_harmless_edit",
    "stopped",
    "stopped_after_a_harmless_edit",
}
ALL = [*CORPUS, *LATER, *BLIND, *AGAIN]
TALLY: dict[str, tuple[bool, bool]] = {}


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    """Hold the shares that the product promises over the whole corpus."""
    yield
    if len(TALLY) == len(ALL):
        files, lines = (sum(found[n] for found in TALLY.values()) / len(TALLY) for n in (0, 1))
        assert len(TALLY) >= 40
        assert files >= 0.95, [name for name, found in TALLY.items() if not found[0]]
        assert lines >= 0.90, [name for name, found in TALLY.items() if not found[1]]


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: f"{fault.patient}-{fault.name}")
def test_the_cause_is_found_and_what_can_be_healed_is_healed(fault: Fault, tmp_path: Path) -> None:
    (tmp_path / "live").mkdir()
    pack = evidence(fault, tmp_path / "live")
    if (
        pack.failure.symptom in {"timeout", "slow"}
        and pack.process.state != "T"
        and not pack.stacks
    ):
        pytest.skip("py-spy may not look into other processes here")
    found = BuiltInDiagnostician().diagnose(pack)
    TALLY[fault.name] = (
        found.file == fault.file,
        found.line == fault.true_line() or not fault.line,
    )
    assert (found.category, found.file) == (fault.category, fault.file), found.root_cause
    if fault.line:
        assert found.line == fault.true_line(), found.root_cause
    if fault.name in BLAMES_NOBODY:
        assert found.line is None
    assert_told(found, pack)
    drafts = BuiltInFixWriter().propose(pack, found, Wishes())
    healed = next(
        (n for n, d in enumerate(drafts) if heals(fault, pack, d, tmp_path / str(n))), None
    )
    assert (healed is not None) is fault.heals, [draft.explanation for draft in drafts]


def assert_told(found: DiagnosisDraft, pack: EvidencePack) -> None:
    assert set(found.cited) <= {item.id for item in pack.items}
    assert found.cited
    assert 0 < found.certainty < 1
    assert pack.service in found.plain
    assert found.analogy.endswith(".")
    assert found.category is not Category.UNKNOWN
