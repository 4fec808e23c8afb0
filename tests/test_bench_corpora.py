"""What the benchmarks put into services still fits those services: a change of the shop must not silence a benchmark."""

from __future__ import annotations

import tomllib

import pytest

from bench import _faults, _revert_cases

TABLE = tomllib.loads((_revert_cases.CORPUS / "shop.toml").read_text())
FAULTS_OF_REVERT = {fault["name"] for fault in TABLE["fault"]}


@pytest.mark.parametrize("fault", _faults.faults(), ids=lambda fault: fault.name)
def test_a_fault_of_heal_bench_fits_and_its_truth_stands_on_one_line(
    fault: _faults.Fault,
) -> None:
    good, harmless, broken = fault.trees()
    fault.true_line()
    if fault.kind in {"code", "config"}:
        assert broken != harmless or fault.environment, "nothing is broken"
    if fault.harmless or fault.harmless_edits:
        assert harmless != good


def test_the_cases_of_revert_bench_fit_and_are_the_same_each_time() -> None:
    found = list(_revert_cases.cases())
    assert {name for case in found for name in case.faults} == FAULTS_OF_REVERT
    assert all(case.faults_only != case.good for case in found)
    assert found == list(_revert_cases.cases())
