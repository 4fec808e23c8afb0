"""A running stand-in that the settings name, with short limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.standins.blaxel_api import KEY, WORKSPACE, BlaxelStandIn


@pytest.fixture
def api(settings: Any) -> Iterator[BlaxelStandIn]:
    """Return a stand-in for Blaxel."""
    with BlaxelStandIn() as stand_in:
        settings.BL_API_KEY = KEY
        settings.BL_WORKSPACE = WORKSPACE
        settings.BLAXEL_API_URL = stand_in.api_url
        settings.MONITORING_PROBER = "agentops_site.integrations.blaxel_http.RoutingProber"
        yield stand_in
