"""Config files of a service: what is broken in them, and which value changed since last known good."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from incidents.engine.hunks import Hunk
from monitoring.values import Tree

MAX_BYTES = 1_000_000
MAX_VALUES = 5_000
_SECRET = re.compile(r"pass|secret|token|key|credential|dsn|auth", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A config file that cannot be read, with the parser's place in it."""

    file: str
    line: int | None
    column: int | None
    error: str


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A value that differs; `key` is its dotted path, `old` or `new` is None where the key does not exist."""

    file: str
    key: str
    line: int | None
    old: Any
    new: Any
    added: bool = False
    removed: bool = False

    def words(self) -> str:
        """Return the change in words, without a value that may be a secret."""
        if self.added:
            return f"{self.key} was added"
        if self.removed:
            return f"{self.key} was removed"
        if _SECRET.search(self.key):
            return f"{self.key} changed"
        return f"{self.key} changed from {_shown(self.old)} to {_shown(self.new)}"


def is_config(path: str) -> bool:
    """Return whether a file is one that is read as configuration here."""
    return PurePosixPath(path).suffix.lower() in _PARSERS


def broken_configs(tree: Tree, last_good: Tree | None) -> tuple[Broken, ...]:
    """Return the config files that cannot be parsed now, but could in the last known good tree (if there is one)."""
    found = []
    for path in sorted(tree):
        broken = problem(path, tree[path]) if is_config(path) else None
        before = (last_good or {}).get(path)
        if broken and before != tree[path] and (before is None or problem(path, before) is None):
            found.append(broken)
    return tuple(found)


def changed_values(
    tree: Tree, last_good: Tree | None, hunks: tuple[Hunk, ...]
) -> tuple[Changed, ...]:
    """Return every single value that differs in a config file which can be parsed on both sides."""
    if last_good is None:
        return ()
    paths = sorted({hunk.path for hunk in hunks if hunk.kind == "changed" and is_config(hunk.path)})
    return tuple(
        change
        for path in paths
        for change in _differences(path, last_good[path], tree[path], hunks)
    )


def _differences(path: str, old: bytes, new: bytes, hunks: tuple[Hunk, ...]) -> Iterator[Changed]:
    before, after = _values(path, old), _values(path, new)
    if before is None or after is None:
        return
    for key in sorted({*before, *after}):
        if key in before and key in after and before[key] == after[key]:
            continue
        yield Changed(
            file=path,
            key=key,
            line=_line_of(path, key, hunks),
            old=before.get(key),
            new=after.get(key),
            added=key not in before,
            removed=key not in after,
        )


def _line_of(path: str, key: str, hunks: tuple[Hunk, ...]) -> int | None:
    """Return the current line of a changed key: the changed line that names it, else the first changed line."""
    name = re.sub(r"\[\d+\]$", "", key).rpartition(".")[2]
    own = [hunk for hunk in hunks if hunk.path == path]
    for hunk in own:
        for offset, line in enumerate(hunk.new_lines):
            if name in line:
                return hunk.new_start + offset
    return own[0].new_start if own else None


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _values(path: str, data: bytes) -> dict[str, Any] | None:
    try:
        found = dict(islice(_flat("", _parsed(path, data)), MAX_VALUES + 1))
    except (ValueError, RecursionError, configparser.Error):
        return None
    return found if len(found) <= MAX_VALUES else None


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), inner)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _flat(f"{prefix}[{index}]", inner)
    else:
        yield prefix, value


def problem(path: str, data: bytes) -> Broken | None:
    """Return why a config file cannot be parsed, None when it can (or is too large to be one)."""
    if len(data) > MAX_BYTES:
        return None
    try:
        _parsed(path, data)
    except json.JSONDecodeError as error:
        return Broken(file=path, line=error.lineno, column=error.colno, error=error.msg)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        return Broken(file=path, line=line, column=column, error=f"not UTF-8 text: {error.reason}")
    except tomllib.TOMLDecodeError as error:
        return _toml_problem(path, str(error), data)
    except configparser.Error as error:
        return Broken(
            file=path, line=_ini_line(error), column=None, error=str(error).split("\n")[0]
        )
    except RecursionError:
        return Broken(file=path, line=None, column=None, error="nested too deeply")
    except ValueError as error:
        return Broken(file=path, line=None, column=None, error=str(error)[:200])
    return None


def _toml_problem(path: str, error: str, data: bytes) -> Broken:
    place = re.search(r"\(at line (\d+), column (\d+)\)", error)
    line = int(place[1]) if place else data.rstrip().count(b"\n") + 1
    words = re.sub(r"\s*\(at [^)]*\)", "", error)
    return Broken(file=path, line=line, column=int(place[2]) if place else None, error=words)


def _ini_line(error: configparser.Error) -> int | None:
    errors = getattr(error, "errors", None)
    found = errors[0][0] if errors else getattr(error, "lineno", None)
    return found if isinstance(found, int) else None


def _parsed(path: str, data: bytes) -> Any:
    return _PARSERS[PurePosixPath(path).suffix.lower()](data.decode("utf-8"))


def _ini(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


_PARSERS: dict[str, Callable[[str], Any]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    ".ini": _ini,
    ".cfg": _ini,
}
