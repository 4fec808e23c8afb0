"""Asks a database and a broker of one's own whether they answer, before anything is started on them.

Without it a wrong address shows as a traceback of the first process that needs it, or as a start that waits.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from launcher.console import LauncherError, indented
from launcher.layout import Layout

LIMIT = 15.0  # seconds for one question; the libraries' own limits below are shorter

ASK_DATABASE = """
import os, sys, psycopg
try:
    psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5).close()
except psycopg.Error as error:
    print(str(error).strip())
    sys.exit(3)
"""
ASK_BROKER = """
import os, sys, redis
try:
    redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5, socket_connect_timeout=5).ping()
except (redis.RedisError, ValueError) as error:
    print(str(error).strip())
    sys.exit(3)
"""
PARTS = {
    "DATABASE_URL": (
        ("postgres", "postgresql"),
        "postgres://USER:PASSWORD@HOST:PORT/NAME",
        "the SQLite file in the data folder",
        ASK_DATABASE,
    ),
    "REDIS_URL": (
        ("redis", "rediss"),
        "redis://:PASSWORD@HOST:PORT/0",
        "the embedded Valkey",
        ASK_BROKER,
    ),
}


def check(layout: Layout, env: Mapping[str, str]) -> None:
    """Return when every part of one's own answers, or none is set.

    Raises:
        LauncherError: an address is none, or nobody answers there who knows us; it says which and why.
    """
    for name, (schemes, shape, instead, question) in PARTS.items():
        url = env.get(name, "").strip()
        if not url:
            continue
        if urlsplit(url).scheme not in schemes:
            raise LauncherError(f"{name} must be {shape}; leave it empty for {instead}.")
        if refusal := _refusal(layout, env, question):
            raise LauncherError(
                f"{name} does not work:\n{indented(refusal)}\nMend it, or leave it empty for {instead}."
            )


def _refusal(layout: Layout, env: Mapping[str, str], question: str) -> str:
    """Return what the part said against us; what the question itself cannot tell is left to the processes."""
    command = [str(layout.python), "-c", question]
    try:
        asked = subprocess.run(  # noqa: S603 - our own interpreter
            command, env=dict(env), capture_output=True, text=True, check=False, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {LIMIT:g} s"
    return asked.stdout.strip() if asked.returncode == 3 else ""
