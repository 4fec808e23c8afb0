from __future__ import annotations

import re

from django.conf import settings

from incidents.states import Status
from tests.components.sample import SEVERITIES


def symbols() -> set[str]:
    """Return the names of all icons."""
    text = (settings.BASE_DIR / "static" / "icons" / "sprite.svg").read_text()
    return set(re.findall(r'<symbol id="([\w-]+)"', text))


def test_every_status_has_an_icon_and_a_tone() -> None:
    styles = (settings.BASE_DIR / "static" / "css" / "components.css").read_text()
    plain = {Status.REJECTED, Status.CLOSED}
    for status in Status:
        assert f"status-{status.value.lower()}" in symbols()
        assert status in plain or f".status--{status.value}" in styles


def test_every_severity_has_its_own_shape() -> None:
    text = (settings.BASE_DIR / "static" / "icons" / "sprite.svg").read_text()
    drawn = [re.search(rf'id="sev-{name}"[^>]*>(.*?)</symbol>', text) for name in SEVERITIES]
    assert len({match.group(1) for match in drawn if match}) == len(SEVERITIES)
