"""Source text as safe HTML lines with Pygments' short class names; no inline style."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound

MAX_COLOURED = 200_000  # characters; beyond that colours cost more time than they save


def coloured(text: str, path: str) -> list[SafeString]:
    """Return one piece of HTML a line, coloured when the file's name tells its language."""
    return list(_coloured(text, path.rpartition("/")[2]))


@lru_cache(maxsize=256)
def _coloured(text: str, name: str) -> tuple[SafeString, ...]:
    lexer = _lexer(name) if len(text) <= MAX_COLOURED else None
    if lexer is None:
        return tuple(escape(line) for line in text.split("\n"))
    html = highlight(text, lexer, HtmlFormatter(nowrap=True))
    # Pygments escapes what it marks up and closes its spans at each end of a line.
    return tuple(mark_safe(line) for line in html.split("\n"))  # noqa: S308 - see above


def _lexer(name: str) -> Any:
    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
