"""What every safety reviewer keeps (`incidents.ports.SafetyReviewer`)."""

from __future__ import annotations

from dataclasses import replace

from incidents.engine import patches
from incidents.ports import SafetyReviewer
from incidents.values import Edit, ProposedChange
from tests.integrations import cases

WIPE = b"\nimport os\nos.system('rm -rf /')\n"


def change_to(after: bytes) -> ProposedChange:
    """Return the change of the shop's broken handler to these bytes."""
    before = {"handler.py": cases.BROKEN}
    return ProposedChange(
        service="Shop",
        actions=(Edit(path="handler.py", old=cases.BROKEN.decode(), new=after.decode()),),
        before=before,
        after={"handler.py": after},
        diff=patches.unified_diff(before, {"handler.py": after}),
        editable_globs=cases.GLOBS,
        author="Claude",
        incident_reference="incident-1",
    )


class SafetyReviewerContract:
    """Mix in, with a fixture `reviewer` that knows the wiping of a disk when it sees it."""

    def test_a_harmless_repair_passes(self, reviewer: SafetyReviewer) -> None:
        verdict = reviewer.review(change_to(cases.GOOD))
        assert verdict.passed is True
        assert 0 <= verdict.score <= 1
        assert verdict.reviewer == reviewer.name
        assert all(kept is True for kept in verdict.policies.values())

    def test_a_destructive_change_does_not(self, reviewer: SafetyReviewer) -> None:
        verdict = reviewer.review(change_to(cases.GOOD + WIPE))
        assert verdict.passed is False
        assert verdict.score < 1
        assert not all(verdict.policies.values())

    def test_the_same_change_gets_the_same_verdict(self, reviewer: SafetyReviewer) -> None:
        change = change_to(cases.GOOD)
        assert reviewer.review(change) == reviewer.review(change)

    def test_odd_files_get_a_verdict_too(self, reviewer: SafetyReviewer) -> None:
        change = change_to(cases.GOOD)
        for after in ({"handler.py": None}, {"logo.bin": bytes(range(256))}, {"empty.py": b""}):
            verdict = reviewer.review(replace(change, after=after))
            assert verdict.passed in {True, False}
