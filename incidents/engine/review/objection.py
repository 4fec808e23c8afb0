"""What a rule about Python has against one place in the syntax tree."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Objection:
    """What a node does wrong. `key` tells apart what was there before: by default the node's own text."""

    node: ast.AST
    rule: str
    policy: str
    detail: str
    severity: str = "high"
    key: str = ""
