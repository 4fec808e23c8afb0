"""Which of our drawings stands for a product (static/shop/products.svg): its own, else one of its category."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static

SPRITE = "shop/products.svg"


def picture(product_id: str, category: str) -> str:
    """Return the address of the drawing; a product that we never drew gets a parcel."""
    drawn = _drawn()
    name = next((one for one in (product_id, f"any-{category}") if one in drawn), "any")
    return f"{static(SPRITE)}#{name}"


@cache
def _drawn() -> frozenset[str]:
    text = Path(settings.BASE_DIR, "static", SPRITE).read_text(encoding="utf-8")
    return frozenset(re.findall(r'<symbol id="([^"]+)"', text))
