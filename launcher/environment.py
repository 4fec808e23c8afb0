"""The environment that every process of AgentOps is started with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from launcher.console import LauncherError

# Set for the person's shell or for another Python, each would break ours: the last one keeps the
# compiled files of a fresh install from ever being written, which costs seconds at every start.
FOREIGN = ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "PYTHONDONTWRITEBYTECODE")

ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
QUOTED = re.compile(r"""(["'])(.*)\1\s*(?:#.*)?""")
COMMENT = re.compile(r"(?:^|\s)#.*")


def parse_dotenv(text: str) -> dict[str, str]:
    """Return the assignments of a `.env` text: KEY=VALUE lines, `#` comments, optional quotes, no expansion.

    An empty value counts as not given, so that a copied `.env.example` changes nothing by itself.

    Raises:
        LauncherError: a line is neither an assignment nor a comment.
    """
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = ASSIGNMENT.fullmatch(line.strip())
        if match is None:
            raise LauncherError(f".env, line {number}: expected KEY=VALUE.")
        value = unquoted(match[2])
        if value:
            values[match[1]] = value
    return values


def unquoted(value: str) -> str:
    """Return a value without its quotes, or without the comment that follows a bare one."""
    quoted = QUOTED.fullmatch(value)
    return quoted[2] if quoted else COMMENT.sub("", value).strip()


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the assignments of a `.env` file, none when there is no file.

    Raises:
        LauncherError: it cannot be read or holds something else.
    """
    try:
        return parse_dotenv(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise LauncherError(f".env cannot be read: {error}") from error


def resolve(root: Path, *, base: Mapping[str, str], dotenv: bool = True) -> dict[str, str]:
    """Return the environment for children: `.env` under `base` (which wins), with an absolute AGENTOPS_DATA.

    A relative AGENTOPS_DATA is meant from the checkout, so that it does not change with the folder one stands in.
    """
    given = {key: value for key, value in base.items() if key not in FOREIGN}
    values = {**(read_dotenv(root / ".env") if dotenv else {}), **given}
    data = Path(values.get("AGENTOPS_DATA") or "var").expanduser()
    values["AGENTOPS_DATA"] = os.path.normpath(root / data)
    values["PYTHONUNBUFFERED"] = "1"
    # glibc gives every thread an arena of its own otherwise: 30 MB more in a worker with a pool of threads.
    values.setdefault("MALLOC_ARENA_MAX", "2")
    # A worker throws the checks' findings away, but keeps the pages, the API and the admin that they load: 28 MB.
    values.setdefault("CELERY_SKIP_CHECKS", "1")
    return values
