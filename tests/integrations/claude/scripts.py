"""What a model may say: answers for the stand-in to play."""

from __future__ import annotations

import json
from typing import Any

from tests.standins.anthropic_api import text

REPAIR = {
    "kind": "edit",
    "path": "handler.py",
    "old": 'product["price"]',
    "new": 'product["price_cents"]',
}


def diagnosis(**fields: Any) -> dict[str, Any]:
    """Return the diagnosis part of an answer."""
    return {
        "category": "code", "root_cause": "handler.py asks for the key 'price', which products do not have.",
        "file": "handler.py", "line": 7, "plain": "The shop looks for a price under the wrong name.", "analogy": "",
        "certainty": 0.9, "cited": ["E2"], "ruled_out": ["the process runs"], **fields,
    }  # fmt: skip


def answer(*actions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a whole answer with these actions as its fix (none: the right repair)."""
    fix = {"actions": list(actions) or [REPAIR], "explanation": "Use the name that products have.",
           "risks": "None known.", "not_seen": ""}  # fmt: skip
    return {"diagnosis": diagnosis(), "fix": fix, **fields}


def final(*actions: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """Return the blocks of a final answer."""
    return [text(json.dumps(answer(*actions, **fields)))]
