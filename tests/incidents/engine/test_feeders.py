"""The line that raises is often not the one to blame: what it uses was spoiled by a changed line elsewhere."""

from __future__ import annotations

import pytest

from incidents.engine.diagnostician import BuiltInDiagnostician
from incidents.values import DiagnosisDraft, EvidencePack, Failure
from monitoring.values import ProcessState


def diagnosed(before: str, after: str, *, at: str) -> DiagnosisDraft:
    """Diagnose an AttributeError that an unchanged line (the one with `at`) raises after a change of its file."""
    lines = after.split("\n")
    number, code = next((n, ln.strip()) for n, ln in enumerate(lines, 1) if at in ln)
    trace = (
        "Traceback (most recent call last):\n"
        f'  File "/srv/app/app.py", line {number}, in f\n    {code}\n'
        "AttributeError: it went wrong\n"
    )
    pack = EvidencePack(
        service="App",
        directory="/srv/app",
        is_python=True,
        failure=Failure(symptom="http_error", error_type="AttributeError", traceback=trace),
        items=(),
        process=ProcessState(phase="running", pid=7, state="S"),
        log_tail="",
        stacks="",
        current={"app.py": after.encode()},
        last_good={"app.py": before.encode()},
        environment={},
        last_good_environment={},
        editable_globs=("*.py",),
    )
    return BuiltInDiagnostician().diagnose(pack)


USES = "def f(a):\n    total = a.sum\n    return total.value  # HERE\n"


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (USES, USES.replace("a.sum", "a.sums"), 2),
        ("POOL = make()\n" + USES.replace("a.sum", "POOL"), "POOL = None\n" + USES.replace("a.sum", "POOL"), 1),
        ("DB = make()\ndef f():\n    return DB.get  # HERE\n", "DB = make()\nDB.close()\ndef f():\n    return DB.get  # HERE\n", 2),
        ("def f(x):\n    x['a'] = 1\n    return x.a  # HERE\n", "def f(x):\n    x['a'] = None\n    return x.a  # HERE\n", 2),
        ("def f(q):\n    a, b = q\n    return f'{b.name}'  # HERE\n", "def f(q):\n    a, b = q, 0\n    return f'{b.name}'  # HERE\n", 2),
    ],
    ids=["assigned", "global, through a local", "used up", "item set", "unpacked, in an f-string"],
)  # fmt: skip
def test_the_changed_line_that_feeds_the_failing_one_is_named(
    before: str, after: str, line: int
) -> None:
    found = diagnosed(before, after, at="# HERE")
    assert found.line == line, found.root_cause


@pytest.mark.parametrize(
    "other",
    [
        "def g(a):\n    total = {}\n",
        "def g(a):\n    if total == 2:\n        pass\n",
        'def g(a):\n    "total = 3"\n',
    ],
    ids=["another function's own name", "a comparison", "a text"],
)
def test_what_does_not_touch_it_is_not_blamed(other: str) -> None:
    found = diagnosed("def g(a):\n    pass\n\n\n" + USES, other + "\n\n" + USES, at="# HERE")
    lines = (other + "\n\n" + USES).split("\n")
    assert "# HERE" in lines[(found.line or 0) - 1]


def test_a_file_that_does_not_parse_gives_no_feeder_of_functions() -> None:
    broken = USES.replace("a.sum", "a.sums") + "def g(:\n"
    found = diagnosed(USES, broken, at="# HERE")
    assert found.line == 3
