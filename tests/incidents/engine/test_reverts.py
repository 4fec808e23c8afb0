"""Minimal revert over everything that can change: hunks, files, config values and variables, with a running oracle."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from incidents.engine.ddmin import Ids, Limits, Minimal, minimal_revert
from incidents.engine.facts import Facts
from incidents.engine.patches import apply
from incidents.engine.reverts import Piece, actions_for, pieces_of
from incidents.values import EvidencePack, Failure
from monitoring.values import ProcessState

MANY = "".join(f"value_{n} = {n}\n# {n}\n" for n in range(20))
GOOD = {
    "main.py": b"import json, os, parts, many\nconf = json.load(open('config.json'))\n"
    b"def area():\n    return conf['width'] * parts.double(conf['height'])\n# area ends\n"
    b"def label():\n    return os.environ['UNIT'] + str(many.value_7)\n# label ends\n"
    b"assert area() == 48, area()\nassert label() == 'mm7', label()\n",
    "parts.py": b"def double(n):\n    return 2 * n\n",
    "many.py": MANY.encode(),
    "config.json": b'{"width": 4, "height": 6, "depth": 1}\n',
}
HARMLESS = {
    "many.py": "".join(f"value_{n} = {n if n == 7 else -n}\n# {n}\n" for n in range(20)).encode(),
    "notes.md": b"new notes\n",
}


def facts(current: dict[str, bytes], environment: dict[str, str] | None = None) -> Facts:
    return Facts(
        EvidencePack(
            service="s",
            directory="/srv/s",
            is_python=True,
            failure=Failure(symptom="no_process", error_type="exit 1"),
            items=(),
            process=ProcessState(phase="exited", exit_code=1),
            log_tail="",
            stacks="",
            current=current,
            last_good=GOOD,
            environment=environment or {"UNIT": "mm"},
            last_good_environment={"UNIT": "mm"},
            editable_globs=("**",),
        )
    )


class Laboratory:
    """Really runs the program with a set of pieces put back."""

    def __init__(self, given: Facts, folder: Path) -> None:
        self.given, self.folder, self.runs = given, folder, 0
        self.pieces = pieces_of(given)
        self.beside: dict[str, bytes] = {}  # files that are no part of the service

    def passes(self, ids: Ids) -> bool:
        pack = self.given.pack
        actions = actions_for(self.pieces, ids)
        change = apply(
            actions, pack.current, pack.last_good, pack.environment, pack.last_good_environment
        )
        self.runs += 1
        room = self.folder / str(self.runs)
        room.mkdir()
        for path, data in {**pack.current, **change.writes, **self.beside}.items():
            if data is not None:
                (room / path).write_bytes(data)
        environment = dict(pack.environment) if change.environment is None else change.environment
        done = subprocess.run(
            [sys.executable, "-B", "main.py"],
            cwd=room,
            env=environment,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def search(self) -> Minimal:
        return minimal_revert([p.id for p in self.pieces], self.passes, Limits())

    def found(self) -> set[str]:
        """Return the words of the proved smallest set."""
        result = self.search()
        assert result.changes is not None
        assert result.proved
        return {piece.words for piece in self.pieces if piece.id in result.changes}


def broken(**files: bytes) -> dict[str, bytes]:
    return {**GOOD, **HARMLESS, **{k.replace("_", "."): v for k, v in files.items()}}


@pytest.mark.parametrize(
    ("current", "environment", "expected"),
    [
        (broken(parts_py=b"def double(n):\n    return 3 * n\n"), None, {"parts.py line 2"}),
        (broken(parts_py=b"def double(n)\n    return 2 * n\n"), None, {"parts.py line 1"}),
        (broken(config_json=b'{"width": 5, "height": 6, "depth": 2}\n'), None,
         {"config.json: width changed from 4 to 5"}),
        (broken(config_json=b'{"width": 4, "height": 6, "depth": 1\n'), None, {"config.json line 1"}),
        (broken(), {"UNIT": "cm", "MORE": "1"}, {"variable UNIT"}),
        (broken(parts_py=b"def double(n):\n    return 3 * n\n"), {"UNIT": "cm"}, {"parts.py line 2", "variable UNIT"}),
        (broken(many_py=HARMLESS["many.py"].replace(b"value_7 = 7\n", b"")), None, {"many.py line 15"}),
        ({k: v for k, v in broken(pieces_py=GOOD["parts.py"]).items() if k != "parts.py"}, None, {"parts.py (deleted)"}),
        (broken(json_py=b"load = None\n"), None, {"json.py (added)"}),
    ],
    ids=["hunk", "syntax", "one value of a line", "broken json", "variable", "two faults", "among many", "renamed", "added"],
)  # fmt: skip
def test_the_smallest_set_that_heals_is_found_by_running_it(
    current: dict[str, bytes],
    environment: dict[str, str] | None,
    expected: set[str],
    tmp_path: Path,
) -> None:
    assert Laboratory(facts(current, environment), tmp_path).found() == expected


def test_hunks_that_need_each_other_go_back_together(tmp_path: Path) -> None:
    current = broken(
        main_py=GOOD["main.py"].replace(b"parts.double(", b"parts.thrice("),
        parts_py=b"def thrice(n): return 3 * n\n",
    )
    assert Laboratory(facts(current), tmp_path).found() == {"main.py line 4", "parts.py line 1"}


def test_when_the_cause_lies_elsewhere_it_says_so(tmp_path: Path) -> None:
    laboratory = Laboratory(facts(broken()), tmp_path)
    laboratory.beside = {"json.py": b"raise SystemExit(1)\n"}
    result = laboratory.search()
    assert (result.changes, result.proved) == (None, False)
    assert "the cause lies elsewhere" in result.why
    assert laboratory.runs == result.calls <= 6


def test_pieces_put_back_together_are_the_last_good_state() -> None:
    current = broken(config_json=b'{"width": 5, "height": 6, "depth": 2}\n', json_py=b"x = 1\n")
    given = facts(current, {"UNIT": "cm"})
    pieces: tuple[Piece, ...] = pieces_of(given)
    change = apply(
        actions_for(pieces, {p.id for p in pieces}), current, GOOD, {"UNIT": "cm"}, {"UNIT": "mm"}
    )
    after = {path: data for path, data in {**current, **change.writes}.items() if data is not None}
    assert (after, change.environment) == (GOOD, {"UNIT": "mm"})
    assert len({piece.id for piece in pieces}) == len(pieces)
