"""The redactor of a conversation: it has seen everything that can be sent before the first byte is."""

from __future__ import annotations

from collections.abc import Iterator

from incidents.engine.redaction import Redactor
from incidents.values import EvidencePack


def redactor_of(pack: EvidencePack, tag: str) -> Redactor:
    """Return a redactor that knows all secrets of the pack; the same pack and tag give the same placeholders."""
    known = {**(pack.last_good_environment or {}), **pack.environment}
    changed = {
        f"{n} before": v for n, v in (pack.last_good_environment or {}).items() if known[n] != v
    }
    redactor = Redactor(known={**known, **changed}, tag=tag)
    for text in _texts(pack):
        redactor.redact(text)
    return redactor


def _texts(pack: EvidencePack) -> Iterator[str]:
    for tree in (pack.current, pack.last_good or {}):
        for path in sorted(tree):
            yield tree[path].decode("utf-8", "replace")
    yield pack.log_tail
    yield pack.stacks
