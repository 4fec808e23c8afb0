"""Tracebacks as they really arrive - inside JSON, HTML, coloured or prefixed log lines - made readable again."""

from __future__ import annotations

import html
import json
import re

MAX_TEXT = 200_000
HEADER = "Traceback (most recent call last):"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STRING = re.compile(r"\"(?P<inside>(?:[^\"\\\n]|\\.)*)(?:\"|$)", re.M)
_QUOTE_BEFORE = re.compile(r"[\"'](?=\s*(?:\+ |File \\*\"))")
_LINE_END = re.compile(r"(?<!\\)\\n")
_ESCAPED_FRAME = re.compile(r"(?:\\n|^|[\"'])[\s|]*File \\*\"", re.M)


def readable_lines(text: str) -> list[str]:
    """Return the lines of the text's end, with colours, JSON escapes and HTML entities undone around tracebacks."""
    text = _COLOUR.sub("", text[-MAX_TEXT:]).replace("\r\n", "\n")
    for _ in range(2):  # a JSON answer quoted in a JSON log line is escaped twice
        text = _STRING.sub(_unescaped, text)
    lines = text.split("\n")
    if any("\\n" in line and _ESCAPED_FRAME.search(line) for line in lines):
        lines = [part for line in lines for part in _loosely_unescaped(line)]
    if "File &quot;" in text or "File &#34;" in text:
        lines = [html.unescape(re.sub(r"<[^>\n]{1,200}>", "", line)) for line in lines]
    return lines


def _unescaped(found: re.Match[str]) -> str:
    inside = found["inside"]
    if "File \\" not in inside or "\\n" not in inside:
        return found.group()
    try:
        return "\n" + str(json.loads(f'"{inside}"', strict=False)) + "\n"
    except ValueError:
        return found.group()


def _loosely_unescaped(line: str) -> list[str]:
    # A cut answer or a Python repr is no JSON, yet its line ends are still written as backslash and n.
    if "\\n" not in line or not _ESCAPED_FRAME.search(line):
        return [line]
    line = _QUOTE_BEFORE.sub("\n", line)
    return _LINE_END.sub("\n", line).replace('\\"', '"').split("\n")


def same_shape_prefix(prefix: str, line: str) -> bool:
    """Return whether a line starts like the header did, digits aside: loggers put the time before every line."""
    start = line[: len(prefix)]
    return bool(prefix) and re.sub(r"\d", "0", start) == re.sub(r"\d", "0", prefix)
