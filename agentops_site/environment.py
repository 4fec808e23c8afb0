"""Reading the environment: the only place that turns variables into typed settings."""

from __future__ import annotations

import os
import secrets
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SQLITE_INIT = (
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
    "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=2000;"
)


def text(name: str, default: str) -> str:
    """Return the variable's text, or the default when it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, *, default: bool) -> bool:
    """Return a switch: 1/true/yes/on or 0/false/no/off; anything else names the variable."""
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither 1/true/yes/on nor 0/false/no/off.")


def number(name: str, default: float, *, least: float = -inf, most: float = inf) -> float:
    """Return a number within its limits; a text that is none names the variable in the error."""
    value = text(name, "")
    if not value:
        return float(default)
    try:
        given = float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value!r} is not a number.") from error
    if not least <= given <= most:
        limits = f"from {least:g} to {most:g}" if most < inf else f"of at least {least:g}"
        raise ImproperlyConfigured(f"{name}={value!r} is not a number {limits}.")
    return given


def kept_secret_key(data_dir: Path) -> str:
    """Return SECRET_KEY, or the one that was made once and is kept under the data folder."""
    given = text("SECRET_KEY", "")
    if given:
        return given
    path = data_dir / "secret-key"
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"secret-key.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)  # the first of several processes wins; a key is never replaced
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def redis_options() -> dict[str, Any]:
    """Return the broker options under which a lost message comes back as soon as it may.

    That is after the visibility timeout, which exceeds the agent's hard time limit; until then the database's rows are what
    a killed worker's work is found by. With kombu's defaults the look for it would come up to 100 s later, and publishing
    to a black-holed Redis would block for ever.
    """
    return {
        "visibility_timeout": 300,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 3,
        "socket_connect_timeout": 3,
    }


def database_from_url(url: str, data_dir: Path) -> dict[str, Any]:
    """Return Django's database settings for `postgres://user:pass@host:port/name`, or SQLite when empty."""
    if not url:
        return _sqlite(data_dir)
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            "DATABASE_URL must be postgres://USER:PASSWORD@HOST:PORT/NAME; leave it empty for SQLite."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def files_of(package: str, folder: str) -> Path:
    """Return a folder that an installed package brings along, without loading the package."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ImproperlyConfigured(f"{package} is not installed; run ./agentops up again.")
    return Path(found.origin).parent / folder


def _sqlite(data_dir: Path) -> dict[str, Any]:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": data_dir / "agentops.sqlite3",
        "CONN_MAX_AGE": 60,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": SQLITE_INIT},
        "TEST": {"NAME": data_dir / "test.sqlite3"},
    }
