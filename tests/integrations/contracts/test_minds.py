"""The contracts, run on Claude and White Circle against their stand-ins, on the built-in parts and on the fakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentops_site.integrations.claude import ClaudeDiagnostician, ClaudeFixWriter
from agentops_site.integrations.white_circle import WhiteCircleReviewer
from incidents.engine.diagnostician import BuiltInDiagnostician
from incidents.engine.fix_writer import BuiltInFixWriter
from incidents.engine.reviewer import BuiltInReviewer
from incidents.values import Category, DiagnosisDraft, Edit, EvidencePack, FixDraft
from tests.fakes.minds import FakeDiagnostician, FakeFixWriter, FakeReviewer
from tests.integrations import cases
from tests.integrations.claude.scripts import REPAIR, final
from tests.integrations.contracts.diagnostician import DiagnosticianContract
from tests.integrations.contracts.fix_writer import FixWriterContract
from tests.integrations.contracts.safety_reviewer import SafetyReviewerContract
from tests.standins import anthropic_api, white_circle_api
from tests.standins.anthropic_api import AnthropicStandIn
from tests.standins.white_circle_api import WhiteCircleStandIn

pytestmark = pytest.mark.django_db
DRAFT = DiagnosisDraft(category=Category.CODE, root_cause="A wrong key.", file="handler.py", line=7)
FIX = FixDraft(
    actions=(Edit(path="handler.py", old=REPAIR["old"], new=REPAIR["new"]),), explanation="Right."
)


@pytest.fixture
def broken() -> EvidencePack:
    """Return the stored evidence of the broken shop."""
    return cases.with_evidence(cases.incident(), cases.pack())


@pytest.fixture
def claude(settings: Any) -> Iterator[AnthropicStandIn]:
    """Have a Claude that always gives the right answer."""
    with AnthropicStandIn(turns=[final()]) as stand_in:
        settings.ANTHROPIC_API_KEY = anthropic_api.KEY
        settings.ANTHROPIC_BASE_URL = stand_in.url
        yield stand_in


class TestBuiltInDiagnostician(DiagnosticianContract):
    @pytest.fixture
    def diagnostician(self) -> BuiltInDiagnostician:
        return BuiltInDiagnostician()


class TestClaudeDiagnostician(DiagnosticianContract):
    @pytest.fixture
    def diagnostician(self, claude: AnthropicStandIn) -> ClaudeDiagnostician:
        return ClaudeDiagnostician()


class TestFakeDiagnostician(DiagnosticianContract):
    @pytest.fixture
    def diagnostician(self) -> FakeDiagnostician:
        return FakeDiagnostician([DRAFT])


class TestBuiltInFixWriter(FixWriterContract):
    @pytest.fixture
    def writer(self) -> BuiltInFixWriter:
        return BuiltInFixWriter()

    @pytest.fixture
    def diagnosis(self, broken: EvidencePack) -> DiagnosisDraft:
        return BuiltInDiagnostician().diagnose(broken)


class TestClaudeFixWriter(FixWriterContract):
    @pytest.fixture
    def writer(self) -> ClaudeFixWriter:
        return ClaudeFixWriter()

    @pytest.fixture
    def diagnosis(self, broken: EvidencePack, claude: AnthropicStandIn) -> DiagnosisDraft:
        return ClaudeDiagnostician().diagnose(broken)


class TestFakeFixWriter(FixWriterContract):
    @pytest.fixture
    def writer(self) -> FakeFixWriter:
        return FakeFixWriter([[FIX]])

    @pytest.fixture
    def diagnosis(self) -> DiagnosisDraft:
        return DRAFT


class TestBuiltInReviewer(SafetyReviewerContract):
    @pytest.fixture
    def reviewer(self) -> BuiltInReviewer:
        return BuiltInReviewer()


class TestWhiteCircleReviewer(SafetyReviewerContract):
    @pytest.fixture
    def reviewer(self, settings: Any) -> Iterator[WhiteCircleReviewer]:
        with WhiteCircleStandIn(judge=lambda text: {"p2"} if "rm -rf" in text else set()) as server:
            settings.WHITECIRCLE_API_KEY = white_circle_api.KEY
            settings.WHITECIRCLE_API_URL = f"{server.url}/api"
            settings.WHITECIRCLE_DEPLOYMENT_ID = white_circle_api.DEPLOYMENT
            yield WhiteCircleReviewer()


class TestFakeReviewer(SafetyReviewerContract):
    @pytest.fixture
    def reviewer(self) -> FakeReviewer:
        return FakeReviewer(objectionable=("rm -rf",))
