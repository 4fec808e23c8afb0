"""Replaces secrets and personal data by placeholders, and puts them back in answers (law 5). Plain Python."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

_TELLTALE_NAME = r"(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|credential|private[_-]?key|authorization|dsn)"
SECRET_NAME = re.compile(_TELLTALE_NAME, re.IGNORECASE)
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "KEY",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.S),
    ),
    ("JWT", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}")),
    ("BEARER", re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}")),
    ("CLOUD", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("VENDOR", re.compile(r"\b(?:sk|pk|rk|ghp|gho|xox[abps]|glpat|bl)[-_][\w-]{16,}")),
    ("URLPASS", re.compile(r"(?<=://)[^/\s:@]+:[^/\s:@]+(?=@)")),
    (
        "SECRET",
        re.compile(
            rf"(?i)(?<=[\"'\w]){_TELLTALE_NAME}\w*[\"']?\s*[:=]\s*[\"']?(?P<value>[^\s\"',;}}{{)(\]\[]{{6,}})"
        ),
    ),
    (
        "SECRET",
        re.compile(
            rf"(?i)\b{_TELLTALE_NAME}\w*[\"']?\s*[:=]\s*[\"']?(?P<value>[^\s\"',;}}{{)(\]\[]{{6,}})"
        ),
    ),
    ("EMAIL", re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w\b")),
    ("CARD", re.compile(r"\b(?:\d[ -]?){13,16}\b")),
)


@dataclass
class Redactor:
    """Keeps one placeholder a value, so that equal secrets stay equal and an answer can be restored.

    `known` are values that are secret whatever they look like, e.g. those of a service's environment.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    _placeholder_of: dict[str, str] = field(default_factory=dict)

    def redact(self, text: str) -> str:
        """Return the text with every secret replaced by a placeholder such as `[SECRET-1]`."""
        for name, value in sorted(self.known.items(), key=lambda item: -len(item[1])):
            if len(value) >= 4 and SECRET_NAME.search(name):
                text = text.replace(value, self._placeholder("SECRET", value))
        for kind, pattern in _PATTERNS:
            text = pattern.sub(partial(self._replaced, kind), text)
        return text

    def restore(self, text: str) -> str:
        """Return the text with every placeholder of ours put back to its value."""
        for value, placeholder in self._placeholder_of.items():
            text = text.replace(placeholder, value)
        return text

    def _replaced(self, kind: str, match: re.Match[str]) -> str:
        whole = match.group(0)
        value = match.groupdict().get("value") or whole
        if kind == "CARD" and not _is_card(value):
            return whole
        if value.startswith("[") and value.endswith("]"):
            return whole
        return whole.replace(value, self._placeholder(kind, value))

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._placeholder_of:
            self._placeholder_of[value] = f"[{kind}-{len(self._placeholder_of) + 1}]"
        return self._placeholder_of[value]


def _is_card(text: str) -> bool:
    """Say whether the digits pass the Luhn check of payment cards; order numbers mostly do not."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return len(digits) >= 13 and sum(doubled) % 10 == 0


def redact(text: str, known: Mapping[str, str] | None = None) -> str:
    """Return the text without secrets, for a place from which nothing has to come back."""
    return Redactor(known=known or {}).redact(text)
