"""Scripted parts that think: real classes that replay drafts, verdicts or errors in order, the last one for ever."""

from __future__ import annotations

from dataclasses import dataclass, field

from incidents.ports import DiagnosisError, FixError, ReviewError
from incidents.values import (
    DiagnosisDraft,
    EvidencePack,
    FixDraft,
    ProposedChange,
    SafetyVerdict,
    Wishes,
)


@dataclass
class FakeDiagnostician:
    """Replays drafts; `seen` keeps the packs it was given."""

    script: list[DiagnosisDraft | DiagnosisError]
    name: str = "fake"
    seen: list[EvidencePack] = field(default_factory=list)

    def diagnose(self, pack: EvidencePack) -> DiagnosisDraft:
        """Return or raise what the script says."""
        self.seen.append(pack)
        said = self.script[min(len(self.seen), len(self.script)) - 1]
        if isinstance(said, DiagnosisError):
            raise said
        return said


@dataclass
class FakeFixWriter:
    """Replays lists of drafts; `asked` keeps the wishes it was given."""

    script: list[list[FixDraft] | FixError]
    name: str = "fake"
    asked: list[Wishes] = field(default_factory=list)

    def propose(
        self, pack: EvidencePack, diagnosis: DiagnosisDraft, wishes: Wishes
    ) -> list[FixDraft]:
        """Return or raise what the script says."""
        self.asked.append(wishes)
        said = self.script[min(len(self.asked), len(self.script)) - 1]
        if isinstance(said, FixError):
            raise said
        return said


@dataclass
class FakeReviewer:
    """Passes every change but those whose diff holds one of the `objectionable` texts, or has no verdict."""

    objectionable: tuple[str, ...] = ()
    no_verdict: str = ""
    name: str = "fake"
    seen: list[ProposedChange] = field(default_factory=list)

    def review(self, change: ProposedChange) -> SafetyVerdict:
        """Return the verdict, or raise `ReviewError` when told to have none."""
        self.seen.append(change)
        if self.no_verdict:
            raise ReviewError(self.no_verdict)
        written = b"\n".join(data for data in change.after.values() if data).decode(
            "utf-8", "replace"
        )
        passed = not any(text in written for text in self.objectionable)
        return SafetyVerdict(
            passed=passed, score=float(passed), policies={"all": passed}, reviewer=self.name
        )
