"""Real failures of real processes: where and why must be right, and what can be healed must be healed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.engine.diagnostician import BuiltInDiagnostician
from incidents.engine.fix_writer import BuiltInFixWriter
from incidents.engine.patches import apply
from incidents.values import Category, DiagnosisDraft, EvidencePack, FixDraft, Wishes
from tests.incidents.engine.faults import CORPUS
from tests.incidents.engine.patients import Fault, failure_of, pack_of, running

BLAMES_NOBODY = {
    "dependency",
    "dependency_after_a_harmless_edit",
    "stopped",
    "stopped_after_a_harmless_edit",
}
TALLY: dict[str, tuple[bool, bool]] = {}


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    """Hold the shares that the product promises over the whole corpus."""
    yield
    if len(TALLY) == len(CORPUS):
        files, lines = (sum(found[n] for found in TALLY.values()) / len(TALLY) for n in (0, 1))
        assert len(TALLY) >= 40
        assert files >= 0.95, [name for name, found in TALLY.items() if not found[0]]
        assert lines >= 0.90, [name for name, found in TALLY.items() if not found[1]]


def evidence(fault: Fault, folder: Path) -> EvidencePack:
    with running(fault.patient, fault.broken_tree(), fault.broken_environment(), folder) as patient:
        if patient.listens():
            if fault.act:
                fault.act(patient)
            failure_of(
                patient, fault.path
            )  # what ends the process with this request is seen by the next probe
        failure = failure_of(patient, fault.path)
        assert failure is not None, "the fault does not show"
        return pack_of(fault, patient, failure)


def heals(fault: Fault, pack: EvidencePack, draft: FixDraft, folder: Path) -> bool:
    change = apply(
        draft.actions, pack.current, pack.last_good, pack.environment, pack.last_good_environment
    )
    tree = {p: data for p, data in {**pack.current, **change.writes}.items() if data is not None}
    environment = dict(pack.environment) if change.environment is None else change.environment
    folder.mkdir()
    with running(fault.patient, tree, environment, folder) as patient:
        return patient.listens() and failure_of(patient, fault.path) is None


@pytest.mark.parametrize("fault", CORPUS, ids=lambda fault: f"{fault.patient}-{fault.name}")
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
