"""A box takes the time of the machine that pages, probes and watched services leave."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from agentops_site.integrations.isolation.levels import Level
from tests.integrations.isolation.test_endings import processes_of, start_lingering

SHARES = Path("/proc/self/autogroup")
"""How much of the machine this session gets, where the kernel shares time out between sessions."""


def test_a_box_gives_way(level: Level, tmp_path: Path) -> None:
    ours = psutil.Process().nice()
    box = start_lingering(level, tmp_path)
    try:
        assert {psutil.Process(pid).nice() for pid in processes_of(tmp_path)} == {ours + 5}
    finally:
        box.end()


@pytest.mark.skipif(os.getuid() != 0 or not SHARES.exists(), reason="no share to set")
def test_a_box_gives_way_where_sessions_share_the_time(level: Level, tmp_path: Path) -> None:
    ours = SHARES.read_text()  # nothing where this session is as old as the machine
    box = start_lingering(level, tmp_path)
    try:
        shares = [Path(f"/proc/{pid}/autogroup").read_text() for pid in processes_of(tmp_path)]
        assert any(share.endswith(" nice 5\n") for share in shares)
    finally:
        box.end()
    assert SHARES.read_text() == ours, "not touched"
