"""Rules that a command of the manager checks: it ends with code 0 when the rule holds. Pure; running it is a runtime's.

Such an invariant is an object with `command`, a list of words in which `{port}` stands for the service's port (no shell
reads them), and if wanted a `name` and a limit in `seconds` (5, at most 10). It runs in the service's directory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from monitoring.globs import safe_relative

MAX_WORDS, MAX_WORD, MAX_NAME = 20, 300, 120
LONGEST, USUAL = 10.0, 5.0
MAX_OUTPUT = 2000
"""Characters of a check's output that are kept, the last ones."""
METHOD = "CHECK"
"""Stands for the method in a verdict of a check command, which asked no request of ours."""
_PATTERN = re.compile(r"[*?\[\]{}]")
_MODULE = re.compile(r"\w+(\.\w+)*")


@dataclass(frozen=True, kw_only=True)
class CheckCommand:
    """A checked rule. Made by `check_command` only; `words` still hold `{port}`."""

    name: str
    words: tuple[str, ...]
    seconds: float = USUAL

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files of the service's directory that the check itself may consist of: those its words name."""
        fitting = (word.removeprefix("./") for word in self.words if not _PATTERN.search(word))
        named = [word for word in fitting if "." in word and safe_relative(word)]
        return (*named, *self._module())

    def _module(self) -> tuple[str, ...]:
        """Return the files that Python runs for `-m package.module`."""
        for option, name in pairwise(self.words):
            if option == "-m" and _MODULE.fullmatch(name):
                path = name.replace(".", "/")
                return (f"{path}.py", f"{path}/__main__.py", f"{path}/__init__.py")
        return ()


@dataclass(frozen=True, kw_only=True)
class CheckRun:
    """How a check command went. `ran` False means that nothing was learned; `why` says why not.

    `exit_code` is None when it was ended at its limit (or by a signal); `output` is bounded and redacted by who ran it.
    """

    ran: bool
    exit_code: int | None = None
    output: str = ""
    why: str = ""
    seconds: float = field(default=0.0, compare=False)

    def broken(self, limit: float) -> str:
        """Return what breaks the rule in words, "" when it holds or nothing was learned."""
        if not self.ran or self.exit_code == 0:
            return ""
        ended = (
            f"no end within {limit:g} s"
            if self.exit_code is None
            else f"exit code {self.exit_code}"
        )
        said = " ".join(self.output.split())[-300:]
        return f"{ended}: {said}" if said else ended


def is_command(raw: object) -> bool:
    """Return whether an invariant is meant to be one with a check command."""
    return isinstance(raw, Mapping) and "command" in raw


def check_command(raw: object) -> CheckCommand:
    """Return the rule that the data describes; raise ValueError with a text for the person who wrote it."""
    if not isinstance(raw, Mapping):
        raise ValueError("An invariant is an object.")
    unknown = sorted(str(key) for key in set(raw) - {"name", "command", "seconds"})
    if unknown:
        raise ValueError(f'An invariant with "command" does not know {unknown[0]!r}.')
    words = _words(raw["command"])
    return CheckCommand(name=_name(raw, words), words=words, seconds=_seconds(raw))


def _words(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list) or not 1 <= len(raw) <= MAX_WORDS:
        raise ValueError(
            f'"command" is a list of 1 to {MAX_WORDS} words, e.g. ["python3", "check.py", "{{port}}"].'
        )
    for word in raw:
        if not isinstance(word, str) or not word.strip() or "\0" in word or len(word) > MAX_WORD:
            raise ValueError(
                f'Every word of "command" is a text of 1 to {MAX_WORD} characters that is not blank.'
            )
    return tuple(raw)


def _name(raw: Mapping[str, object], words: tuple[str, ...]) -> str:
    name = raw.get("name", " ".join(words)[:MAX_NAME])
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME:
        raise ValueError(f"The name of a check command is a text of 1 to {MAX_NAME} characters.")
    return name


def _seconds(raw: Mapping[str, object]) -> float:
    seconds = raw.get("seconds", USUAL)
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not 0 < float(str(seconds)) <= LONGEST:
        raise ValueError(f'"seconds" is a number above 0, at most {LONGEST:g}.')
    return float(str(seconds))
