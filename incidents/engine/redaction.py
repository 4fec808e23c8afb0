"""Replaces secrets and personal data by placeholders, and puts them back in answers (law 5). Plain Python.

A secret is found by its look (a key, a token in a URL), by the name it is assigned to, or because it is known; once
found, it is replaced wherever it stands, also where nothing around it tells, and also quoted, encoded or escaped.
Too much is replaced rather than too little: what comes back is restored, so that this costs nothing but legibility.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote

_TELLTALE_NAME = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|access[_-]?key|signing[_-]?key|credential"
    r"|private[_-]?key|authorization|session[_-]?(?:id|key)|dsn)"
)
SECRET_NAME = re.compile(_TELLTALE_NAME, re.IGNORECASE)
_PERSONAL = (
    r"(?:e?mail|phone|mobile|(?:first|last|full|customer|user|shipping|billing)_?name|customer"
    r"|(?:shipping_|billing_|street_?)?address|street|city|zip(?:_?code)?|post_?code|birth_?(?:day|date))"
)
_ABOUT = r"(?!\w{0,40}(?:header|field|name|type|ttl|seconds|minutes|length|count)\b)"
_ASSIGNED = rf"(?i){_TELLTALE_NAME}{_ABOUT}\w{{0,40}}[\"']?[ \t]*(?::=|[:=])[ \t]*"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "KEY",
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", re.S),
    ),
    ("JWT", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}")),
    ("BEARER", re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}")),
    (
        "BASIC",
        re.compile(r"(?i)authorization[\"']?\s*[:=]\s*[\"']?basic\s+(?P<value>[\w+/=-]{6,})"),
    ),
    ("COOKIE", re.compile(r"(?i)\bcookie[\"']?:\s*[\"']?(?P<value>[\w.-]+=[^\r\n\"']{6,})")),
    ("CLOUD", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("VENDOR", re.compile(r"\b(?:sk|pk|rk|ghp|gho|xox[abps]|glpat|bl)[-_][\w-]{16,}")),
    ("URLPASS", re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")),
    (
        "SECRET",
        re.compile(
            rf"{_ASSIGNED}(?P<quote>[\"'])(?P<value>(?:\\.|(?!(?P=quote))[^\\\n]){{4,}})(?P=quote)"
        ),
    ),
    (
        "SECRET",
        re.compile(rf"{_ASSIGNED}[\"']?(?P<value>(?!basic\b|bearer\b)[^\s\"',;}}{{)(\]\[]{{6,}})"),
    ),
    ("CVV", re.compile(r"(?i)\bcv[vc]2?[\"']?\s*[:=]\s*[\"']?(?P<value>\d{3,4})\b")),
    (
        "PERSON",
        re.compile(
            rf"(?i)[\"']{_PERSONAL}[\"']\s*:\s*(?P<quote>[\"'])(?P<value>[^\"'\n]{{2,120}})(?P=quote)"
        ),
    ),
    (
        "PERSON",
        re.compile(
            rf"(?i)[\"']name[\"']\s*:\s*[\"'](?P<value>[^\"'\n]{{2,80}})[\"'](?=[^{{}}]{{0,300}}[\"']{_PERSONAL}[\"'])"
        ),
    ),
    (
        "PERSON",
        re.compile(
            rf"(?i)[\"']{_PERSONAL}[\"']\s*:[^{{}}]{{0,300}}?[\"']name[\"']\s*:\s*[\"'](?P<value>[^\"'\n]{{2,80}})[\"']"
        ),
    ),
    ("EMAIL", re.compile(r"\b[\w.+-]{1,64}@[\w-]+\.[\w.-]*\w\b")),
    ("CARD", re.compile(r"\b(?:\d[ -]?){12,18}\d\b")),
    ("IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("PHONE", re.compile(r"(?<![\w.])\+\d{1,3}(?:[ -]?\(?\d{2,4}\)?){3,5}\b")),
)
_CODE = re.compile(
    rf"(?i)(?:(?:self|cls|args|os|settings|config|request|data)\.[\w.]+|{_TELLTALE_NAME})"
)
_PLACEHOLDER = re.compile(r"\[[A-Z]+-\d+(?:-\w+)?\]")
_ORDINARY = frozenset({"true", "false", "none", "null", "changeme", "required", "optional"})


@dataclass
class Redactor:
    """Keeps one placeholder a value, so that equal secrets stay equal and an answer can be restored.

    `known` are values that are secret because of their names, e.g. those of a service's environment. `tag` becomes
    part of each placeholder: with an unguessable one, a log line cannot smuggle in a placeholder of ours.
    The same texts in the same order give the same placeholders.
    """

    known: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    _placeholder_of: dict[str, str] = field(default_factory=dict)
    _value_of: dict[str, str] = field(default_factory=dict)
    _everywhere: dict[str, str] = field(default_factory=dict)
    _finder: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        for name, value in sorted(self.known.items()):
            if len(value) >= 4 and value.lower() not in _ORDINARY and SECRET_NAME.search(name):
                self._learn("SECRET", value)

    def redact(self, text: str) -> str:
        """Return the text with every secret replaced by a placeholder such as `[SECRET-1]`."""
        text = self._without_learned(text)
        for kind, pattern in _PATTERNS:
            text = pattern.sub(partial(self._replaced, kind), text)
        return self._without_learned(text)

    def restore(self, text: str) -> str:
        """Return the text with every placeholder of ours put back to its value."""
        return _PLACEHOLDER.sub(lambda m: self._value_of.get(m.group(0), m.group(0)), text)

    def placeholders(self, text: str) -> set[str]:
        """Return the placeholders of ours that stand in the text."""
        return {found for found in _PLACEHOLDER.findall(text) if found in self._value_of}

    def _replaced(self, kind: str, match: re.Match[str]) -> str:
        whole = match.group(0)
        named = "value" in match.re.groupindex
        value = match.group("value") if named else whole
        if _is_harmless(kind, match, value):
            return whole
        start = match.start("value") - match.start() if named else 0
        return whole[:start] + self._hidden(kind, value) + whole[start + len(value) :]

    def _hidden(self, kind: str, value: str) -> str:
        """Return the placeholder; of a secret over several lines one a line, so that line numbers stay true."""
        lines = re.split(r"(\r?\n)", value)
        return "".join(self._learn(kind, part) if part.strip() else part for part in lines)

    def _learn(self, kind: str, value: str) -> str:
        if value in self._placeholder_of:
            return self._placeholder_of[value]
        placeholder = self._new(kind, value)
        if value in self.known.values() or _stands_out(value):
            for form in _forms(value):
                self._everywhere[form] = self._placeholder_of.get(form) or self._new(kind, form)
            self._finder = None
        return placeholder

    def _new(self, kind: str, value: str) -> str:
        tag = f"-{self.tag}" if self.tag else ""
        placeholder = f"[{kind}-{len(self._placeholder_of) + 1}{tag}]"
        self._placeholder_of[value] = placeholder
        self._value_of[placeholder] = value
        return placeholder

    def _without_learned(self, text: str) -> str:
        if not self._everywhere:
            return text
        if self._finder is None:
            longest_first = sorted(self._everywhere, key=len, reverse=True)
            # Placeholders come first in the alternation: a secret that reads "SECRET-1" must not eat them.
            words = "|".join([_PLACEHOLDER.pattern, *map(re.escape, longest_first)])
            self._finder = re.compile(words)
        return self._finder.sub(lambda m: self._everywhere.get(m.group(0), m.group(0)), text)


def _is_harmless(kind: str, match: re.Match[str], value: str) -> bool:
    """Say whether a find is no secret after all: a placeholder, a number that is no card, or code that fetches one."""
    if _PLACEHOLDER.search(value):
        return True
    if kind == "CARD":
        return not _is_card(value)
    if kind != "SECRET" or "quote" in match.re.groupindex:
        return False
    following = match.string[match.end() : match.end() + 1]
    return following in {"(", "["} or _CODE.fullmatch(value) is not None


def _stands_out(value: str) -> bool:
    """Say whether a value is long and odd enough to be replaced where nothing around it tells that it is a secret."""
    return len(value) >= 8 and not value.isalpha() and not value.isspace()


def _forms(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield quote(value, safe="")
    yield base64.b64encode(value.encode()).decode()


def _is_card(text: str) -> bool:
    """Say whether the digits pass the Luhn check of payment cards; order numbers mostly do not."""
    digits = [int(character) for character in text if character.isdigit()]
    doubled = [d if i % 2 == 0 else d * 2 - 9 * (d > 4) for i, d in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0


def redact(text: str, known: Mapping[str, str] | None = None) -> str:
    """Return the text without secrets, for a place from which nothing has to come back."""
    return Redactor(known=known or {}).redact(text)
