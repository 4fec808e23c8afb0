"""The place to blame must be right whatever way a traceback reaches us."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from incidents.engine.culprits import Culprit, Places, find_culprit
from incidents.engine.tracebacks import parse
from tests.incidents.engine.snippets import RAISERS, marked_line, run

DRESSES: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "json": lambda text: '{"error": "x", "traceback": ' + json.dumps(text) + ', "z": 1}',
    "json_in_json": lambda text: json.dumps({"log": json.dumps({"t": text})}),
    "cut_json": lambda text: '{"t": ' + json.dumps(text)[:-1] + "\\n\\u00",
    "repr": lambda text: "ERROR " + repr(text),
    "html": lambda text: f"<html><pre>{html.escape(text)}</pre></html>",
    "timed": lambda text: "".join(
        f"2026-01-02 03:04:{n % 60:02} shop[12] ERROR {line}\n"
        for n, line in enumerate(text.split("\n"))
    ),
    "indented": lambda text: "\n".join("      " + line for line in text.split("\n")),
    "composed": lambda text: "\n".join("shop-1  | " + line for line in text.split("\n")),
    "windows": lambda text: text.replace("\n", "\r\n"),
    "noisy": lambda text: f"GET / 200\nValue: 3\n\n{text}\nINFO: done\nshutting down\n",
    "older_one_before": lambda text: (
        'Traceback (most recent call last):\n  File "/a/prog.py", line 77, in q\nOSError: x\n\n'
        + text
    ),
    "cut_in_the_middle": lambda text: '  File "/a/prog.py", line 9, in z\n    z()\n' + text,
}


def nothing_changed(_path: str, _line: int) -> bool:
    return False


def blame(text: str, folder: Path) -> Culprit | None:
    return find_culprit(parse(text), Places(str(folder), {"prog.py"}), nothing_changed)


@pytest.mark.parametrize("name", RAISERS)
def test_type_file_and_line_are_right_in_every_dress(name: str, tmp_path: Path) -> None:
    wanted, source = RAISERS[name]
    text = run(tmp_path, source)
    for dress, put_on in DRESSES.items():
        found = blame(put_on(text), tmp_path)
        assert found is not None, dress
        got = (found.trace.name, found.file, found.line)
        assert got == (wanted, "prog.py", marked_line(source)), dress


def test_messages_code_and_columns_are_kept(tmp_path: Path) -> None:
    found = blame(run(tmp_path, "def f():\n    raise ValueError('it: broke')\nf()\n"), tmp_path)
    assert found is not None
    assert (found.trace.message, found.function) == ("it: broke", "f")
    assert found.code == "raise ValueError('it: broke')"
    (broken,) = parse(run(tmp_path, "x = 1\nif x\n    y = 2\n"))
    assert (broken.is_syntax_error, broken.column) == (True, 5)


def test_a_changed_caller_is_blamed_before_the_unchanged_helper(tmp_path: Path) -> None:
    source = "def helper(n):\n    return 1 / n\ndef call():\n    return helper(0)\ncall()\n"
    traces = parse(run(tmp_path, source))
    places = Places(str(tmp_path), {"prog.py"})
    found = find_culprit(traces, places, lambda _path, line: line == 4)
    assert found is not None
    assert (found.line, found.on_changed_line) == (4, True)


def test_a_traceback_from_another_folder_is_found_by_its_end_and_a_library_never_is() -> None:
    places = Places("/data/services/shop", {"app/decoder.py", "decoder.py"})
    assert places.locate("/data/services/shop/decoder.py") == "decoder.py"
    assert places.locate("/tmp/trial-1/app/decoder.py") == "app/decoder.py"  # noqa: S108 - only text
    assert places.locate("./decoder.py") == "decoder.py"
    assert places.locate("C:\\shop\\app\\decoder.py") == "app/decoder.py"
    assert places.locate("/usr/lib/python3.11/json/decoder.py") == ""
    assert places.locate("/x/.venv/lib/python3.12/site-packages/app/decoder.py") == ""
    assert places.locate("<string>") == ""
    assert places.locate("/data/services/shop/other.py") == ""


@pytest.mark.parametrize(
    "text",
    ["", "no error here", "ValueError: nothing printed before", 'File "x.py", line 3', "Traceback (most recent call last):",
     'Traceback (most recent call last):\n  File "x.py", line 3, in f\n', "{\\n File \\\"", "| | | +----- 1 -----\n| 9"],
)  # fmt: skip
def test_what_is_no_whole_traceback_blames_nobody(text: str) -> None:
    assert parse(text) == ()


def test_hostile_text_is_read_in_bounded_time() -> None:
    for text in (
        '  File "' * 50_000,
        '\\n File \\"' * 30_000,
        "~^" * 100_000,
        "a." * 100_000,
        "| " * 100_000,
    ):
        assert parse("Traceback (most recent call last):\n" + text) == ()
