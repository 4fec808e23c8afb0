"""The environment of children, and `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.console import LauncherError
from launcher.environment import parse_dotenv, resolve

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("KEY=plain", "plain"),
        ("export KEY = spaced ", "spaced"),
        ("KEY='single # kept'", "single # kept"),
        ('KEY="double" # comment', "double"),
        ("KEY=a#b # comment", "a#b"),
        ("KEY=redis://:p=w@host:1/0", "redis://:p=w@host:1/0"),
        ("KEY=$HOME", "$HOME"),
    ],
)
def test_an_assignment_is_read(line: str, value: str) -> None:
    assert parse_dotenv(f"# comment\n\n{line}\n") == {"KEY": value}


@pytest.mark.parametrize("line", ["KEY=", "KEY=''", "KEY= # nothing yet"])
def test_an_empty_value_counts_as_not_given(line: str) -> None:
    assert parse_dotenv(line) == {}


@pytest.mark.parametrize("line", ["no assignment", "=value", "1KEY=x", "A KEY=x"])
def test_any_other_line_is_named(line: str) -> None:
    with pytest.raises(LauncherError, match="line 2"):
        parse_dotenv(f"A=1\n{line}\n")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"KEY=\xff\n")
    with pytest.raises(LauncherError, match=r"\.env cannot be read"):
        resolve(tmp_path, base={})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file\nPYTHONHOME=/file\n")
    env = resolve(tmp_path, base={"A": "given", "PYTHONHOME": "/given"})
    assert (env["A"], env["B"]) == ("given", "file")


def test_data_lies_in_the_checkout_wherever_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert resolve(tmp_path, base={})["AGENTOPS_DATA"] == str(tmp_path / "var")
    assert resolve(tmp_path, base={"AGENTOPS_DATA": "./x"})["AGENTOPS_DATA"] == str(tmp_path / "x")
    assert resolve(tmp_path, base={"AGENTOPS_DATA": "/y"})["AGENTOPS_DATA"] == "/y"


def test_the_example_changes_nothing_and_can_be_uncommented() -> None:
    text = (REPOSITORY / ".env.example").read_text()
    assert parse_dotenv(text) == {}
    lines = [
        line[1:] for line in text.splitlines() if line.startswith("#") and "=" in line.split()[0]
    ]
    assert len(lines) == len(parse_dotenv("\n".join(f"{line}x" for line in lines))) >= 20
