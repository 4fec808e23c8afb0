"""The built-in safety reviewer: structural, without a model and without a network."""

from __future__ import annotations

from collections.abc import Iterator

from incidents.engine.review import (
    bandit_tests,
    credentials,
    plain_text,
    policies,
    python_code,
    scope,
)
from incidents.engine.review.changed import ChangedFile, changed_files
from incidents.values import (
    Finding,
    ProposedChange,
    Restart,
    Revert,
    RevertEnvironment,
    SafetyVerdict,
)

_RETURNS = (Restart, Revert, RevertEnvironment)


class BuiltInReviewer:
    """Judges a change by what is new in it; see `incidents.ports.SafetyReviewer`.

    Restarts and reverts bring back what ran before, so only their scope and their undo are judged; every new line of
    anything else is read. The score is 1 minus 0.6, 0.4, 0.2 or 0.05 for each critical, high, medium or low finding;
    low findings are remarks and refuse nothing.
    """

    name = "AgentOps Safety Guard"

    def __init__(self, *, limit: scope.Size | None = None) -> None:
        self.limit = limit or scope.Size()

    def review(self, change: ProposedChange) -> SafetyVerdict:
        """Return the verdict; this reviewer always has one."""
        findings = tuple(_one_a_place(self._findings(change)))
        return SafetyVerdict(
            passed=not any(map(policies.refuses, findings)),
            score=policies.score(findings),
            findings=findings,
            policies=policies.kept(findings),
            reviewer=self.name,
            note=_note(findings),
        )

    def _findings(self, change: ProposedChange) -> Iterator[Finding]:
        files = changed_files(change)
        yield from scope.path_findings(change)
        yield from scope.rollback_findings(change)
        if change.actions and all(isinstance(action, _RETURNS) for action in change.actions):
            return
        yield from scope.size_findings(files, self.limit)
        for file in files:
            yield from _content_findings(file)
        yield from bandit_tests.findings(files)


def _content_findings(file: ChangedFile) -> Iterator[Finding]:
    yield from scope.character_findings(file)
    yield from python_code.findings(file) if file.is_python else plain_text.findings(file)
    yield from credentials.findings(file)


def _one_a_place(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield each rule once a line, and bandit's word only where ours has none: two words weigh no more than one."""
    seen: set[tuple[str, int | None, str]] = set()
    places: set[tuple[str, int | None]] = set()
    for finding in findings:
        place = (finding.path, finding.line)
        if (*place, finding.rule) in seen or (
            finding.rule.startswith("bandit-") and place in places
        ):
            continue
        seen.add((*place, finding.rule))
        places.add(place)
        yield finding


def _note(findings: tuple[Finding, ...]) -> str:
    refusing = [finding for finding in findings if policies.refuses(finding)]
    if not refusing:
        return "No objection."
    first = refusing[0]
    where = f" ({first.path}{f':{first.line}' if first.line else ''})" if first.path else ""
    more = f", and {len(refusing) - 1} more" if len(refusing) > 1 else ""
    return f"{first.detail[:1].upper()}{first.detail[1:]}{where}{more}."
