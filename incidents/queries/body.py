"""The middle of the incident page, put together: cause, fix, proof, evidence, and what they add up to."""

from __future__ import annotations

from typing import Any

from incidents.queries import change, evidence, page


def body(loaded: page.Loaded, *, side_by_side: bool = False) -> dict[str, Any]:
    """Return everything between the header and the timeline; two queries beyond those of `load`."""
    return {
        "cause": page.cause(loaded),
        "change": change.change(loaded, side_by_side=side_by_side),
        "trust": change.trust(loaded),
        "evidence": evidence.shown(loaded.incident, loaded.evidence, loaded.diagnosis),
        "past": change.past(loaded),
        "similar": change.similar(loaded),
    }
