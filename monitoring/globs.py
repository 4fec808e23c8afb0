"""File patterns of a service (`editable_globs`, `data_globs`) and which paths are safe at all. Pure text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MAX_PATH = 400
SKIPPED_FOLDERS = {".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules"}
"""Never a fix's business, and large enough to make every look slow."""


def matches(path: str, globs: Iterable[str]) -> bool:
    """Return whether a relative POSIX path matches one of the patterns.

    `*` and `?` stay within one folder, `**` crosses folders (`**/x.py` also means `x.py`, `app/**` all below `app`),
    `[abc]` and `[!abc]` are sets. Upper and lower case differ, as on the hosts that services run on.
    """
    return any(_compiled(pattern).fullmatch(path) is not None for pattern in globs)


def safe_relative(path: str) -> bool:
    """Return whether a path stays below the folder it is joined to, on any system.

    Refused are: empty, absolute, a drive letter, a backslash, control characters, over-long paths and the parts
    "", "." and "..", because each of them has served to write outside of a folder or to hide where a write goes.
    """
    if not path or len(path) > MAX_PATH or "\\" in path or re.match(r"[A-Za-z]:", path):
        return False
    if any(
        ord(char) < 32 or 127 <= ord(char) < 160 or 0xD800 <= ord(char) < 0xE000 for char in path
    ):
        return False
    return all(part not in {"", ".", ".."} for part in path.split("/"))


_TOKEN = re.compile(r"/\*\*/|^\*\*/|/\*\*$|\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_translate(token) for token in _TOKEN.findall(pattern)), re.DOTALL)


def _translate(token: str) -> str:
    # `**` as a whole folder part also stands for no folder at all; inside a name it merely crosses slashes.
    fixed = {
        "/**/": "/(?:.*/)?",
        "**/": "(?:.*/)?",
        "/**": "/.+",
        "**": ".*",
        "*": "[^/]*",
        "?": "[^/]",
    }
    if token in fixed:
        return fixed[token]
    if set(token) == {"*"}:
        return ".*"
    if len(token) > 1 and token[0] == "[":
        return _character_set(token[1:-1])
    return re.escape(token)


def _character_set(body: str) -> str:
    negated = body.startswith("!")
    chars = (body[1:] if negated else body).replace("\\", "\\\\").replace("^", "\\^")
    chars = chars.replace("[", "\\[").replace("]", "\\]").replace("&", "\\&").replace("~", "\\~")
    try:
        re.compile(f"[{chars}]")
    except re.error:
        return "(?!)"
    return f"(?!/)[{'^' if negated else ''}{chars}]"
