"""Bandit's tests on the changed lines of Python files. Source: PyCQA bandit, its test ids (B...)."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from incidents.engine.review.changed import ChangedFile
from incidents.engine.review.policies import REGRESSION
from incidents.values import Finding

# B101: asserts are fine. B105-B107: secrets are detect-secrets' part. B110, B112: our own rule knows the difference.
# B310, B113: reaching the network is our own rule.
_LEFT_OUT = {"B101", "B105", "B106", "B107", "B110", "B112", "B113", "B310"}
_WEAK_CONFIDENCE_COUNTS = {"B608"}

Issue = tuple[str, str, int, int, str]
"""Test id, text, first and last line, and the source of the first line."""


def findings(files: Iterable[ChangedFile]) -> Iterator[Finding]:
    """Yield bandit's issues of at least medium severity that the change brought."""
    python = [file for file in files if file.tree is not None]
    if not python:
        return
    before = _issues(
        {file.path: file.before or "" for file in python if file.tree_before is not None}
    )
    after = _issues({file.path: file.after or "" for file in python})
    for file in python:
        known = Counter((test, source) for test, _, _, _, source in before.get(file.path, []))
        for test, text, first, last, source in after.get(file.path, []):
            known[test, source] -= 1
            if known[test, source] < 0 and any(
                line in file.added for line in range(first, last + 1)
            ):
                yield Finding(
                    rule=f"bandit-{test}",
                    policy=REGRESSION,
                    detail=text,
                    path=file.path,
                    line=first,
                    severity="medium",
                )


def _issues(sources: dict[str, str]) -> dict[str, list[Issue]]:
    """Run bandit over the texts, as files that exist for this call only, and return its issues by path."""
    with tempfile.TemporaryDirectory(prefix="agentops-review-") as folder:
        names = {str(Path(folder) / f"{index}.py"): path for index, path in enumerate(sources)}
        for name, path in names.items():
            Path(name).write_text(sources[path], encoding="utf-8", errors="replace")
        found: dict[str, list[Issue]] = {}
        for issue in _run(list(names)):
            if issue.test_id in _LEFT_OUT or not _counts(issue):
                continue
            path = names[issue.fname]
            lines = sources[path].splitlines()
            span = issue.linerange or [issue.lineno]
            source = lines[issue.lineno - 1].strip() if 0 < issue.lineno <= len(lines) else ""
            found.setdefault(path, []).append(
                (issue.test_id, issue.text, min(span), max(span), source)
            )
        return found


def _counts(issue: Any) -> bool:
    certain = issue.confidence in {"MEDIUM", "HIGH"} or issue.test_id in _WEAK_CONFIDENCE_COUNTS
    return issue.severity in {"MEDIUM", "HIGH"} and certain


def _run(names: list[str]) -> list[Any]:
    manager_class, config = _bandit()
    manager = manager_class(config, "file", quiet=True)
    manager.discover_files(names)
    manager.run_tests()
    issues: list[Any] = manager.results
    return issues


@cache
def _bandit() -> tuple[Any, Any]:
    # Imported at the first review: it costs 0.4 s, which no other process of ours should pay.
    from bandit.core.config import BanditConfig
    from bandit.core.manager import BanditManager

    logging.getLogger("bandit").setLevel(logging.ERROR)
    return BanditManager, BanditConfig()
