"""How bad it is and what kind of thing broke, and how equal things get one name."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any

from monitoring.values import Tree


class Severity(StrEnum):
    """How bad it is, from what was measured; ordered from low to blocker by `rank`."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
    BLOCKER = "blocker"

    @property
    def rank(self) -> int:
        """Return 0 for low up to 4 for blocker."""
        return list(Severity).index(self)


class Category(StrEnum):
    """What kind of thing broke."""

    CODE = "code"
    CONFIG = "config"
    CRASH = "crash"
    STARTUP = "startup"
    SLOW = "slow"
    HANG = "hang"
    DEPENDENCY = "dependency"
    RESOURCE = "resource"
    DATA = "data"
    WRONG_ANSWER = "wrong_answer"
    UNKNOWN = "unknown"


def digest_of(value: Any) -> str:
    """Return the sha256 (hex) of a value's canonical JSON, so that equal meaning has one name."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()
    ).hexdigest()


def tree_digest(tree: Tree) -> str:
    """Return the digest of a tree: of each path with the digest of its bytes."""
    return digest_of({path: hashlib.sha256(data).hexdigest() for path, data in tree.items()})
