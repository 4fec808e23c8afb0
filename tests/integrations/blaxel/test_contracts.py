"""The contracts of runtime and sandbox, on the real SDK against the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentops_site.integrations.blaxel import BlaxelRuntime, BlaxelSandbox
from incidents.ports import Sandbox
from tests.integrations.contract_sandbox import SandboxContract
from tests.monitoring.runtime.contract import RuntimeContract, Target
from tests.monitoring.runtime.helpers import PLAIN, spec_of
from tests.standins.blaxel_api import BlaxelStandIn

pytestmark = pytest.mark.django_db(transaction=True)


class TestBlaxelRuntime(RuntimeContract):
    """Runs the runtime's contract."""

    @pytest.fixture
    def target(self, api: BlaxelStandIn, tmp_path: Path) -> Target:
        """Return a service that lies only here, not yet in a sandbox."""
        (tmp_path / "server.py").write_text(PLAIN)
        return Target(BlaxelRuntime(), spec_of(tmp_path, runtime="blaxel"))


class TestBlaxelSandbox(SandboxContract):
    """Runs the sandbox's contract."""

    @pytest.fixture(autouse=True)
    def _api(self, api: BlaxelStandIn) -> None:
        self.api = api

    def make_sandbox(self) -> Sandbox:
        """Return a new sandbox."""
        return BlaxelSandbox()
