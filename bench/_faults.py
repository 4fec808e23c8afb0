"""The corpus of Heal-Bench: one file a fault, with its truth. `bench/corpus/heal/NAME.toml` is all that a new one needs.

Keys: `service` (of `_patients.PATIENTS`), `kind` ("code", "config", "process" or "control"), `why`, `file` and `line` (the file and
a text on the line to blame; none when no line is), `[[edit]]` (`file`, `old`, `new`; or `delete = true`; or `append`), `[[harmless]]`
(the same, and has to survive), `harmless_edits = 40` (that many comments in as many places), `environment` (variables),
`signal` (sent to the process), `restart = false` (files that are read while it runs), `toggle` (an edit that comes and goes),
`incidents` (how many a control may open), `[fields]` (of the service), `[[traffic]]` (`path`, `body`: what users ask again and again).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench._patients import PATIENTS
from incidents.engine.diffs import lines_changed

CORPUS = Path(__file__).parent / "corpus" / "heal"
Edit = dict[str, Any]
Files = dict[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to break a patient, and the truth about it."""

    name: str
    service: str
    kind: str
    why: str
    file: str = ""
    line: str = ""
    edit: list[Edit] = field(default_factory=list)
    harmless: list[Edit] = field(default_factory=list)
    harmless_edits: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    signal: int = 0
    restart: bool = True
    toggle: bool = False
    incidents: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    traffic: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_control(self) -> bool:
        """Return whether nothing is broken, so that an incident or a change would be wrong."""
        return self.kind == "control"

    def trees(self) -> tuple[Files, Files, Files]:
        """Return the patient's files as they were, with the harmless edits, and with the fault besides."""
        good = _files(PATIENTS[self.service].source)
        harmless = dict(good)
        _apply(harmless, self.harmless, self.name)
        for path in _commented(harmless, self.harmless_edits):
            harmless[path] += b"\n# reviewed, nothing to do\n"
        broken = dict(harmless)
        _apply(broken, self.edit, self.name)
        return good, harmless, broken

    def minimum(self) -> int:
        """Return how many lines the least repair changes."""
        _, harmless, broken = self.trees()
        paths = {path for path in {*harmless, *broken} if harmless.get(path) != broken.get(path)}
        return lines_changed(broken, {path: harmless.get(path) for path in paths})

    def true_line(self) -> int | None:
        """Return the number of the line to blame in the broken tree; None when no line is."""
        if not self.line:
            return None
        text = self.trees()[2][self.file].decode(errors="replace").split("\n")
        found = [number for number, line in enumerate(text, 1) if self.line in line]
        assert len(found) == 1, (self.name, found)
        return found[0]


def faults(only: str = "") -> Iterator[Fault]:
    """Yield the corpus by name; with `only`, the faults whose name holds it."""
    for path in sorted(CORPUS.glob("*.toml")):
        if only in path.stem:
            yield Fault(name=path.stem, **tomllib.loads(path.read_text(encoding="utf-8")))


def _files(root: Path) -> Files:
    ignored = {"data", "__pycache__"}
    found = [path for path in root.rglob("*") if path.is_file()]
    kept = [path for path in found if not ignored & set(path.relative_to(root).parts)]
    return {str(path.relative_to(root)): path.read_bytes() for path in kept}


def _apply(tree: Files, edits: list[Edit], name: str) -> None:
    for edit in edits:
        path = edit["file"]
        if edit.get("delete"):
            del tree[path]
        elif "append" in edit:
            tree[path] = tree.get(path, b"") + edit["append"].encode(edit.get("encoding", "utf-8"))
        else:
            old, new = edit["old"].encode(), edit["new"].encode()
            assert tree[path].count(old) == 1, (name, path, edit["old"])
            tree[path] = tree[path].replace(old, new)


def _commented(tree: Files, count: int) -> Iterator[str]:
    """Yield `count` Python files to touch, each in its turn, round and round."""
    paths = [path for path in sorted(tree) if path.endswith(".py")]
    for number in range(count):
        yield paths[number % len(paths)]
