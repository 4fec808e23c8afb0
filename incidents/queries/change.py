"""The fix, the candidates that lost, why it may be trusted, and what became of it."""

from __future__ import annotations

from typing import Any

from incidents.models import Decision, Deployment, Fix, Incident
from incidents.queries import diffs, proof
from incidents.queries.links import line_url
from incidents.queries.page import Loaded
from incidents.queries.words import action_words, between
from monitoring.models import Service

ROWS_SHOWN = 300
DID = {
    Decision.Kind.APPROVE: "approved the fix",
    Decision.Kind.OVERRIDE: "let it go live without proof",
    Decision.Kind.REJECT: "rejected the fix",
    Decision.Kind.REQUEST_CHANGES: "requested changes",
}


def change(loaded: Loaded, *, side_by_side: bool = False, whole: bool = False) -> dict[str, Any]:
    """Return the fix: what it does in words and the exact diff, and the candidates that lost."""
    fix = loaded.fix
    if fix is None:
        return {"fix": None, "candidates": _candidates(loaded, None)}
    service = loaded.incident.service
    shown, hidden = _files(service, fix.diff, side_by_side=side_by_side, whole=whole)
    return {
        "fix": fix,
        "actions": [action_words(action) for action in fix.actions],
        "author": str(fix.proposer or fix.author),
        "files": shown,
        "hidden": hidden,
        "hidden_words": f"{hidden:,}",
        "side_by_side": side_by_side,
        "candidates": _candidates(loaded, fix),
    }


def _files(
    service: Service, diff: str, *, side_by_side: bool, whole: bool
) -> tuple[list[dict[str, Any]], int]:
    """Return the files of a diff with their rows, at most `ROWS_SHOWN` in all unless the whole is wanted."""
    room = 10**9 if whole else ROWS_SHOWN
    shown, hidden = [], 0
    for number, (file, rows) in enumerate(
        (diffs.split if side_by_side else diffs.unified)(diff), 1
    ):
        hidden += max(0, len(rows) - room)
        shown.append(
            {
                "id": f"diff-{number}",
                "title": file.path,
                "added": file.added,
                "removed": file.removed,
                "note": file.note,
                "url": line_url(service, file.path, file.first_line),
                "rows": rows[:room],
            }
        )
        room = max(0, room - len(rows))
    return shown, hidden


def _candidates(loaded: Loaded, chosen: Fix | None) -> list[dict[str, Any]]:
    lived = {row.fix_id for row in loaded.deployments}
    words = {"refused": "warn", "lost": "", "candidate": "info", "chosen": "ok"}
    return [
        {
            "fix": fix,
            "tone": words[fix.state],
            "actions": "; ".join(action_words(action) for action in fix.actions),
            "trial": proof.receipt(getattr(fix, "trial", None)),
            "diff": fix.diff,
            "can_choose": fix.pk not in lived
            and (bool(fix.writes) or fix.state != Fix.State.REFUSED),
        }
        for fix in loaded.fixes
        if fix is not chosen
    ]


def trust(loaded: Loaded) -> dict[str, Any]:
    """Return why the fix may be trusted: receipt, safety verdicts, confidence."""
    return {
        "receipt": proof.receipt(loaded.trial),
        "safety": proof.safety(loaded.reviews),
        "confidence": proof.confidence(loaded.incident, loaded.decision),
    }


def past(loaded: Loaded) -> dict[str, Any]:
    """Return what was deployed and who decided."""
    return {
        "deployments": [_deployment(row) for row in reversed(loaded.deployments)],
        "people": [
            {"row": row, "did": DID.get(Decision.Kind(row.kind), row.kind)}
            for row in reversed(loaded.decisions)
            if row.actor_id
        ],
    }


def _deployment(row: Deployment) -> dict[str, Any]:
    tones = {"healthy": "ok", "undone": "warn", "undo_failed": "danger"}
    return {
        "row": row,
        "state": row.state.replace("_", " "),
        "tone": tones.get(row.state, "info"),
        "by": "the agent within its policy" if row.automatic else str(row.decision.actor),
        "took": between(row.started_at, row.healthy_at or row.undone_at),
    }


def similar(loaded: Loaded) -> list[dict[str, Any]]:
    """Return past incidents of the same cause, else of the same service and kind; one query."""
    incident = loaded.incident
    past_ones = Incident.objects.filter(fingerprint=incident.fingerprint).exclude(pk=incident.pk)
    rows = past_ones.select_related("service").order_by("-id")[:5]
    return [{"incident": row, "took": between(row.failed_since, row.ended_at)} for row in rows]
