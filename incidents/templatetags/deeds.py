"""What a deed asks for: its dialog, and the people it may name. Both are the same for every role that has the deed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from teams.models import User

register = template.Library()
TEMPLATE = "incidents/parts/deed_dialog.html"


@register.simple_tag
def deed_dialog(token: object, **words: Any) -> SafeString:
    """Return the dialog that incidents/parts/deed_dialog.html makes of these words.

    A pushed one has no token, since its page brings its own: it is the same for every role, and is made once.
    """
    if token:
        return render_to_string(TEMPLATE, {**words, "csrf_token": token})
    return _without_token(tuple(sorted(words.items())))


@lru_cache(maxsize=256)
def _without_token(words: tuple[tuple[str, Any], ...]) -> SafeString:
    return render_to_string(TEMPLATE, dict(words))


@register.simple_tag
def people_options(people: Iterable[User], chosen: int | None) -> SafeString:
    """Return one option for each person, with the role; `chosen` is the one that is selected."""
    return _options(
        tuple((person.pk, person.name, person.get_role_display()) for person in people), chosen
    )


@lru_cache(maxsize=64)
def _options(people: tuple[tuple[int, str, str], ...], chosen: int | None) -> SafeString:
    return format_html_join(
        "",
        '<option value="{}"{}>{} ({})</option>',
        (
            (pk, SafeString(" selected") if pk == chosen else "", name, role)
            for pk, name, role in people
        ),
    )
