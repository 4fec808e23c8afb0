"""Make `.venv` and install the pinned requirements, once per change of either."""

from __future__ import annotations

import ast
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from launcher.console import LauncherError, note
from launcher.layout import Layout

SUPPORTED = ("3.11", "3.12", "3.13")

# uv reads none of pip's settings. Whoever reaches PyPI through a mirror or a company's certificate has told pip;
# each pair is (pip's name, uv's variable), so that they need not tell us again.
PIP_TO_UV = (
    ("index-url", "UV_DEFAULT_INDEX"),
    ("extra-index-url", "UV_INDEX"),
    ("find-links", "UV_FIND_LINKS"),
    ("no-index", "UV_NO_INDEX"),
    ("cert", "SSL_CERT_FILE"),
)


def ensure(layout: Layout, requirements: str, env: Mapping[str, str]) -> None:
    """Make the virtual environment hold what a requirements file names; does nothing when it already does.

    Raises:
        LauncherError: no virtual environment can be made, or the packages cannot be installed.
    """
    if is_current(layout, requirements):
        return
    with only_one(layout.root):
        if is_current(layout, requirements):
            return
        if venv_version(layout) not in SUPPORTED:
            make_venv(layout, env)
        install(layout, requirements, env)
        for file in with_includes(layout.root / requirements):
            stamp_path(layout, file.name).write_text(stamp(layout, file.name), encoding="utf-8")


@contextlib.contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Let one installation run at a time; a second waits and then finds it done."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("Another ./agentops is installing; waiting for it.")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_current(layout: Layout, requirements: str) -> bool:
    """Say whether the virtual environment works and was installed from exactly these requirements."""
    try:
        kept = stamp_path(layout, requirements).read_text(encoding="utf-8")
    except OSError:
        return False
    return venv_version(layout) in SUPPORTED and kept == stamp(layout, requirements)


def stamp_path(layout: Layout, requirements: str) -> Path:
    return layout.venv / f"agentops-{requirements}.stamp"


def stamp(layout: Layout, requirements: str) -> str:
    """Return a digest of what an installation depends on: the pins, the Python, the place (venvs do not move)."""
    digest = hashlib.sha256()
    for part in (venv_version(layout), str(layout.venv)):
        digest.update(f"{part}\n".encode())
    for file in with_includes(layout.root / requirements):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def with_includes(path: Path) -> list[Path]:
    """Return a requirements file and those that it names with `-r`, its own first.

    Raises:
        LauncherError: a file is missing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise LauncherError(f"{path.name} cannot be read: {error}") from error
    files = [path]
    for line in lines:
        if line.startswith("-r "):
            files += with_includes(path.parent / line.removeprefix("-r ").strip())
    return files


def venv_version(layout: Layout) -> str:
    """Return "3.11" and the like, or "" when there is no virtual environment or its Python has gone."""
    if not layout.python.exists():
        return ""
    with contextlib.suppress(OSError):
        for line in (layout.venv / "pyvenv.cfg").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                return ".".join(value.strip().split(".")[:2])
    return ""


def make_venv(layout: Layout, env: Mapping[str, str]) -> None:
    """Create the virtual environment with the Python that runs us, from nothing."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    note(f"Making .venv with Python {version}")
    uv = shutil.which("uv")
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        made = run([sys.executable, "-m", "venv", "--clear", str(layout.venv)], env)
    elif uv:  # Debian ships Python without ensurepip; uv needs none
        made = run(
            [uv, "venv", "--seed", "--clear", "-q", "-p", sys.executable, str(layout.venv)], env
        )
    else:
        made = False
    if not made:
        raise LauncherError(
            "Python cannot make a virtual environment: its ensurepip module is missing or broken.\n"
            f"Debian, Ubuntu: sudo apt install python{version}-venv\n"
            "Then run the same command again."
        )


def install(layout: Layout, requirements: str, env: Mapping[str, str]) -> None:
    """Install a requirements file with uv, or with a new pip where uv does not work."""
    python, file = str(layout.python), str(layout.root / requirements)
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    note("Getting the installer (uv)")
    uv = [python, "-m", "uv", "pip", "install", "--python", python, "-r", file]
    count = sum(pins(each) for each in with_includes(layout.root / requirements))
    if run([*pip, "install", "-q", "--no-compile", "uv"], env):
        note(f"Installing {requirements}: {count} pinned packages and what they need")
        if run(uv, {**uv_settings(python, env), **env}):
            return
    note("uv did not work here; trying pip, which takes about a minute.")
    run([*pip, "install", "-q", "--no-compile", "-U", "pip"], env)
    if not run([*pip, "install", "--no-compile", "-r", file], env):
        raise LauncherError(
            f"The packages of {requirements} could not be installed; the reason is above.\n"
            "AgentOps needs PyPI or a mirror once: pip config set global.index-url URL\n"
            "Then run the same command again; it goes on where it stopped."
        )


def pins(path: Path) -> int:
    return sum("==" in line for line in path.read_text(encoding="utf-8").splitlines())


def uv_settings(python: str, env: Mapping[str, str]) -> dict[str, str]:
    """Return pip's index and certificate settings under uv's names; values are never shown."""
    command = [python, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listed = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - own venv
    return translated(listed.stdout)


def translated(listing: str) -> dict[str, str]:
    """Return uv's variables for the lines of `pip config list`, such as "global.cert='/etc/x.pem'".

    pip asks every index at once; uv has to be told to do the same.
    """
    found: dict[str, str] = {}
    # The environment wins over the files: its lines go last.
    for line in sorted(listing.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, literal = line.partition("=")
        with contextlib.suppress(ValueError, SyntaxError):
            found[name.rpartition(".")[2]] = " ".join(str(ast.literal_eval(literal)).split())
    settings = {variable: found[name] for name, variable in PIP_TO_UV if found.get(name)}
    if "UV_INDEX" in settings:
        settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "UV_FIND_LINKS" in settings:
        settings["UV_FIND_LINKS"] = settings["UV_FIND_LINKS"].replace(" ", ",")
    return settings


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> bool:
    """Run a command with all its output on standard error, and say whether it succeeded."""
    try:
        return subprocess.run(command, env=env, stdout=sys.stderr, check=False).returncode == 0  # noqa: S603
    except OSError as error:
        note(str(error))
        return False
