"""`test`, `check`, `bench`, `manage`, `screens`: the commands for those who work on AgentOps."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher import bootstrap, valkey
from launcher.console import LauncherError, note
from launcher.environment import resolve
from launcher.layout import ROOT, Layout

# Services under watch lie in var/; the target is no part of AgentOps and keeps its own style.
NOT_OURS = {"var", "target_app", "static", "staticfiles", "templates", "docs"}


def test(arguments: Sequence[str]) -> int:
    """Run the tests in a data folder of their own."""
    with tempfile.TemporaryDirectory(prefix="agentops-test-") as data:
        layout, env = for_tests(Path(data))
        return call(layout, env, "-m", "pytest", *arguments)


def check(arguments: Sequence[str]) -> int:
    """Run every check of CI; the tests come last, so that their closing line is the last one printed."""
    refuse_arguments("check", arguments)
    with tempfile.TemporaryDirectory(prefix="agentops-check-") as data:
        layout, env = for_tests(Path(data))
        failed = [name for name, step in steps() if not passes(layout, env, name, step)]
        note(
            f"== {'Failed: ' + ', '.join(failed) if failed else 'All static checks passed'}. Now the tests =="
        )
        status = call(layout, {**env, "AGENTOPS_REQUIRE_BROWSER": "1"}, "-m", "pytest")
    return status or bool(failed)


def for_tests(data: Path) -> tuple[Layout, dict[str, str]]:
    """Return layout and environment for tests: never `.env`, never the data of the person at the machine."""
    env = resolve(ROOT, base={**os.environ, "AGENTOPS_DATA": str(data)}, dotenv=False)
    layout = Layout(ROOT, data)
    bootstrap.ensure(layout, "requirements-dev.txt", env)
    return layout, env


def steps() -> list[tuple[str, list[str]]]:
    """Return the static checks: name, and arguments to Python."""
    own = sources(ROOT)
    typed = ["--explicit-package-bases", "--namespace-packages", *own]
    return [
        ("ruff check", ["-m", "ruff", "check", ".", "agentops"]),
        ("ruff format", ["-m", "ruff", "format", "--check", ".", "agentops"]),
        ("mypy", ["-m", "mypy", *typed]),
        ("lint-imports", ["-c", "from importlinter.cli import lint_imports_command as run; run()"]),
        ("manage.py check", ["manage.py", "check"]),
        ("migrations", ["manage.py", "makemigrations", "--check", "--dry-run"]),
    ]


def sources(root: Path) -> list[str]:
    """Return the folders and modules of Python at the top of the checkout."""
    folders = [
        path.name
        for path in root.iterdir()
        if path.is_dir()
        and not path.name.startswith(".")
        and path.name not in NOT_OURS
        and any(path.rglob("*.py"))
    ]
    return sorted(folders) + sorted(path.name for path in root.glob("*.py"))


def passes(layout: Layout, env: Mapping[str, str], name: str, step: Sequence[str]) -> bool:
    note(f"== {name} ==")
    begun = time.monotonic()
    status = call(layout, env, *step)
    note(f"-- {name}: {'failed' if status else 'passed'} in {time.monotonic() - begun:.1f} s --\n")
    return status == 0


def bench(arguments: Sequence[str]) -> int:
    """Run one benchmark, or all; without a name, list them."""
    known = sorted(path.stem for path in (ROOT / "bench").glob("[a-z]*.py"))
    listing = f"Known benchmarks: {', '.join(known) or 'none'}. Usage: ./agentops bench NAME|all [arguments]"
    if not arguments or arguments[0] not in {*known, "all"}:
        raise LauncherError(listing)
    layout, env = for_stack("requirements-dev.txt")
    chosen = known if arguments[0] == "all" else [arguments[0]]
    return max(
        [call(layout, env, "-m", f"bench.{name}", *arguments[1:]) for name in chosen], default=0
    )


def manage(arguments: Sequence[str]) -> int:
    """Run a management command against the data and the broker of `up`."""
    layout, env = for_stack("requirements.txt")
    return call(layout, env, "manage.py", *arguments)


def screens(arguments: Sequence[str]) -> int:
    """Take the screenshots."""
    script = ROOT / "tests" / "screens.py"
    if not script.is_file():
        raise LauncherError("There is no tests/screens.py in this checkout.")
    layout, env = for_stack("requirements-dev.txt")
    return call(layout, env, str(script), *arguments)


def for_stack(requirements: str) -> tuple[Layout, dict[str, str]]:
    """Return layout and environment as the running (or last) `up` has them, so that commands reach its broker."""
    env = resolve(ROOT, base=os.environ)
    layout = Layout(ROOT, Path(env["AGENTOPS_DATA"]))
    layout.make_folders()
    bootstrap.ensure(layout, requirements, env)
    broker = valkey.last_broker(layout)
    if not env.get("REDIS_URL") and broker:
        env["REDIS_URL"] = broker.url
    return layout, env


def refuse_arguments(name: str, arguments: Sequence[str]) -> None:
    if arguments:
        raise LauncherError(
            f"./agentops {name} takes no arguments. For single tests: ./agentops test ARGUMENTS"
        )


def call(layout: Layout, env: Mapping[str, str], *arguments: str) -> int:
    """Run Python with these arguments in the checkout, on this terminal; return its exit status."""
    command = [str(layout.python), *arguments]
    status = subprocess.run(command, cwd=layout.root, env=dict(env), check=False).returncode  # noqa: S603
    return status if status >= 0 else 128 - status
