"""The runtime contract on real local processes."""

from __future__ import annotations

import pytest

from agentops_site.integrations.local import LocalRuntime
from tests.monitoring.runtime.conftest import MakeService
from tests.monitoring.runtime.contract import RuntimeContract, Target


class TestLocalRuntime(RuntimeContract):
    """Runs the contract on `LocalRuntime`."""

    @pytest.fixture
    def target(self, runtime: LocalRuntime, make_service: MakeService) -> Target:
        return Target(runtime, make_service())
