"""Secrets on added lines, by detect-secrets. Source: Yelp detect-secrets, its plugins and heuristic filters."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from incidents.engine.review.changed import ChangedFile
from incidents.engine.review.policies import CREDENTIALS
from incidents.engine.review.reach import SECRET_NAME
from incidents.values import Finding

_DIGEST_LENGTHS = {32, 40, 56, 64, 96, 128}
_DIGEST_NAME = re.compile(r"(?i)sha|md5|digest|hash|checksum|etag|commit|revision|fingerprint")
# Its settings are one global of the process; two reviews in threads would take them from each other.
_lock = threading.Lock()


def findings(file: ChangedFile) -> Iterator[Finding]:
    """Yield what looks like a secret on the new lines of a file; neither what stood there before, nor a mere name."""
    if not file.added or file.after is None:
        return
    known = file.before or ""
    for secret in _scan(Path(file.path).name, file.after):
        line, value = secret.line_number, secret.secret_value or ""
        new = line in file.added and (not value or value not in known)
        if new and not _is_harmless(secret.type, value, file.line(line)):
            yield Finding(
                rule="secret",
                policy=CREDENTIALS,
                detail=f"a {secret.type.lower()} is written into the file",
                path=file.path,
                line=line,
                severity="critical",
            )


def _is_harmless(kind: str, value: str, line: str) -> bool:
    digest = kind.startswith("Hex") and len(value) in _DIGEST_LENGTHS and _DIGEST_NAME.search(line)
    return bool(digest or SECRET_NAME.fullmatch(value))


def _scan(name: str, text: str) -> list[Any]:
    # Imported at the first review: it costs 0.4 s, which no other process of ours should pay.
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    with (
        tempfile.TemporaryDirectory(prefix="agentops-review-") as folder,
        _lock,
        default_settings(),
    ):
        # The file's own name: what counts as an assignment depends on the language.
        path = Path(folder) / (name[-100:] or "file")
        path.write_text(text, encoding="utf-8", errors="replace")
        return list(scan_file(str(path)))
