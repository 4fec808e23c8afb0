"""Whatever part of a fault somebody else put back, taking the fault out leaves the file as it was before."""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import product
from pathlib import Path

import pytest

from monitoring.faults.catalogue import Fault, all_faults
from monitoring.faults.edits import put_in, take_out

SHOP = Path(__file__).parents[3] / "target_app"
OF_FILES = [fault for fault in all_faults() if fault.edits]


def _partly_healed(before: bytes, after: bytes) -> list[bytes]:
    """Return the file with every choice of the fault's hunks put back, as an agent's smallest fix may leave it."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    hunks = [place for place, block in enumerate(blocks) if block[0] != "equal"]
    found = []
    for choice in product((False, True), repeat=len(hunks)):
        back = {hunk for hunk, put_back in zip(hunks, choice, strict=True) if put_back}
        lines = [
            line
            for place, (tag, a, b, c, d) in enumerate(blocks)
            for line in (old[a:b] if tag == "equal" or place in back else new[c:d])
        ]
        found.append(b"".join(lines))
    return found


@pytest.mark.parametrize("fault", OF_FILES, ids=lambda fault: fault.name)
def test_a_fault_of_which_a_part_was_healed_comes_out_whole(fault: Fault) -> None:
    paths = {edit.path for edit in fault.edits}
    before = {path: (SHOP / path).read_bytes() for path in paths}
    after = put_in(fault, before)
    for path in paths:
        for text in _partly_healed(before[path], after[path]):
            assert take_out(fault, path, before=before[path], now=text) == before[path]


@pytest.mark.parametrize("fault", OF_FILES, ids=lambda fault: fault.name)
def test_an_edit_of_somebody_else_beside_a_whole_fault_stays(fault: Fault) -> None:
    paths = {edit.path for edit in fault.edits}
    before = {path: (SHOP / path).read_bytes() for path in paths}
    for path, text in put_in(fault, before).items():
        edited = text + b"# of somebody else\n"
        taken = take_out(fault, path, before=before[path], now=edited)
        assert taken == before[path] + b"# of somebody else\n"
