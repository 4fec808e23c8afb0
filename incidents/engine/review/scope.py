"""Does the change stay where it may be: declared files, sane size, honest characters, and can it be undone?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from incidents.engine.review.changed import ChangedFile
from incidents.engine.review.policies import ROLLBACK, SCOPE
from incidents.values import Finding, ProposedChange
from monitoring.globs import matches, safe_relative

# Characters that a person reading the diff does not see, or sees in another place than the interpreter does:
# controls, C1, zero width, bidirectional overrides and isolates (CVE-2021-42574), byte order mark, tags.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large one repair may be: larger ones are a person's work."""

    files: int = 20
    lines: int = 400
    bytes: int = 400_000


def path_findings(change: ProposedChange) -> Iterator[Finding]:
    """Yield paths that are unsafe or not declared as editable."""
    for path in sorted(change.after):
        if not safe_relative(path):
            yield _scope("unsafe-path", f"{path!r} is not a path below the service", path)
        elif not matches(path, change.editable_globs):
            yield _scope(
                "outside-scope", f"{path} is not one of the service's editable files", path
            )


def rollback_findings(change: ProposedChange) -> Iterator[Finding]:
    """Yield files whose bytes before are not known, so that no undo could bring them back."""
    for path, after in sorted(change.after.items()):
        if after is None and path not in change.before:
            yield Finding(
                rule="no-bytes-before",
                policy=ROLLBACK,
                detail=f"{path} would be deleted but its content is not known: this cannot be undone",
                path=path,
                severity="critical",
            )


def size_findings(files: list[ChangedFile], limit: Size) -> Iterator[Finding]:
    """Yield what makes the change larger than a repair may be."""
    lines = sum(len(file.added) for file in files)
    total = sum(len(file.after or "") for file in files)
    for found, most, what in (
        (len(files), limit.files, "files"),
        (lines, limit.lines, "new lines"),
        (total, limit.bytes, "characters"),
    ):
        if found > most:
            yield _scope("too-large", f"{found} {what}; at most {most} make one repair")


def character_findings(file: ChangedFile) -> Iterator[Finding]:
    """Yield new lines with characters that hide what they do."""
    for number, line in file.added_lines():
        if found := _HIDDEN.search(line):
            code = f"U+{ord(found.group()):04X}"
            yield _scope(
                "hidden-character", f"the character {code} hides what is written", file.path, number
            )


def _scope(rule: str, detail: str, path: str = "", line: int | None = None) -> Finding:
    return Finding(rule=rule, policy=SCOPE, detail=detail, path=path, line=line, severity="high")
