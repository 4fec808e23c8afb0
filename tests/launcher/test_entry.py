"""The entry script under any Python, the commands, and what the launcher may import."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.cli import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]

AS_OTHER_PYTHON = """\
import runpy, sys
sys.version_info, sys.argv = {version}, ["agentops", "--help"]
runpy.run_path("agentops", run_name="__main__")
"""


def run(
    *command: str, cwd: Path, path: str = os.environ["PATH"]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the script under test
        command, cwd=cwd, env={"PATH": path}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout in which nothing was installed yet."""
    (tmp_path / "agentops").write_text((REPOSITORY / "agentops").read_text())
    (tmp_path / "launcher").symlink_to(REPOSITORY / "launcher")
    (tmp_path / "bin").mkdir()
    return tmp_path


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 0), (3, 10, 4), (3, 14, 0)])
def test_an_unsuitable_python_says_what_is_needed(bare: Path, version: tuple[int, ...]) -> None:
    script = AS_OTHER_PYTHON.format(version=version)
    done = run(sys.executable, "-c", script, cwd=bare, path=str(bare / "bin"))
    assert done.returncode == 1
    assert (
        f"AgentOps needs Python 3.11, 3.12 or 3.13. This is Python {version[0]}.{version[1]}"
        in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_an_unsuitable_python_hands_over_to_one_that_works(bare: Path) -> None:
    shim = bare / "bin" / "python3.13"  # as version managers leave them
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    real = bare / "bin" / f"python3.{sys.version_info.minor}"
    real.unlink(missing_ok=True)
    real.symlink_to(sys.executable)
    script = AS_OTHER_PYTHON.format(version=(3, 9, 2))
    done = run(sys.executable, "-c", script, cwd=bare, path=str(bare / "bin"))
    assert done.returncode == 0, done.stderr
    assert "Usage: ./agentops COMMAND" in done.stdout


def test_the_entry_script_is_understood_by_old_pythons() -> None:
    ast.parse((REPOSITORY / "agentops").read_text(), feature_version=(3, 3))
    assert os.access(REPOSITORY / "agentops", os.X_OK)


def test_the_launcher_needs_nothing_installed() -> None:
    imported = set()
    for file in (REPOSITORY / "launcher").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert imported - sys.stdlib_module_names == {"launcher"}


def test_help_names_every_command(bare: Path) -> None:
    done = run(sys.executable, "agentops", "--help", cwd=bare)
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["dance"], 2, "There is no command 'dance'"),
        (["up", "--port", "70000"], 2, "is not a port"),
        (["up", "--colour"], 2, "unrecognized arguments"),
        (["bench", "nothing"], 1, "Known benchmarks:"),
        (["bench"], 1, "Known benchmarks:"),
        (["check", "-k", "one"], 1, "./agentops test"),
    ],
)
def test_a_wrong_command_line_is_explained(
    bare: Path, arguments: list[str], status: int, said: str
) -> None:
    done = run(sys.executable, "agentops", *arguments, cwd=bare)
    assert done.returncode == status
    assert said in done.stderr


def test_manage_adds_nothing_to_the_output_and_passes_the_status_on(checkout: Path) -> None:
    done = run(sys.executable, "agentops", "manage", "echo", "-k", "--help", cwd=checkout)
    assert (done.returncode, done.stdout, done.stderr) == (7, "-k --help\n", "")
