"""Icons of the sprite: a page shows some fifty, so each one's HTML is made once a process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def icon(context: Context) -> SafeString:
    """Return the icon that the context of components/icon.html names."""
    given: dict[str, Any] = context.dicts[-1]
    return _icon(given.get("name", ""), given.get("class", ""), given.get("label", ""))


@lru_cache(maxsize=1024)
def _icon(name: str, look: str, label: str) -> SafeString:
    said = format_html('role="img" aria-label="{}"', label) if label else 'aria-hidden="true"'
    return format_html(
        '<svg class="icon {}" {}><use href="{}#{}"></use></svg>',
        *(look, SafeString(said), static("icons/sprite.svg"), name),
    )
