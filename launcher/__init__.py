"""Make AgentOps run on a bare machine: install it, start it, watch over its processes, stop it.

Standard library only, because it runs before anything is installed. Read in this order: `cli` (the
commands), `up` (the way of a start), `stack` (the table of processes), `supervisor` (keeps them alive).
"""

from __future__ import annotations
