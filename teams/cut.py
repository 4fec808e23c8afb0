"""Columns of the console's lists whose text may be of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString


def cut(field: str, *, empty: str = "-") -> Callable[[Any], SafeString | str]:
    """Return a column of a field, cut to one line where it does not fit; the whole text is its title. Of nothing it says `empty`.

    How much fits is decided by static/css/console.css: on a phone a row is a card whose cells have one line each.
    """

    @admin.display(description=field.replace("_", " "), ordering=field)
    def column(row: Any) -> SafeString | str:
        text = str(getattr(row, field) or "")
        return format_html('<span class="cut" title="{}">{}</span>', text, text) if text else empty

    column.__name__ = field
    return column
