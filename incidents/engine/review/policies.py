"""The policies of the AgentOps Safety Guard, and how findings become a score. The rules name these constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from incidents.values import Finding

DESTRUCTIVE = "destructive_commands"
CREDENTIALS = "credential_exposure"
DATA_LOSS = "data_loss"
REGRESSION = "security_regression"
SCOPE = "scope"
ROLLBACK = "rollback"
POLICIES = (DESTRUCTIVE, CREDENTIALS, DATA_LOSS, REGRESSION, SCOPE, ROLLBACK)

WEIGHTS: Mapping[str, float] = {"critical": 0.6, "high": 0.4, "medium": 0.2, "low": 0.05}
"""How much one finding of a severity takes from a score of 1; a low one is a remark and refuses nothing."""


def refuses(finding: Finding) -> bool:
    """Return whether the finding keeps the change from passing."""
    return finding.severity != "low"


def score(findings: Iterable[Finding]) -> float:
    """Return 1 minus the weights of the findings, at least 0."""
    return round(max(0.0, 1.0 - sum(WEIGHTS[finding.severity] for finding in findings)), 2)


def kept(findings: Iterable[Finding]) -> dict[str, bool]:
    """Return for each policy whether it is kept."""
    broken = {finding.policy for finding in findings if refuses(finding)}
    return {policy: policy not in broken for policy in POLICIES}
