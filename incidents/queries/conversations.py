"""What was said to a model and what it answered, for those who want to see. Secrets are placeholders already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from incidents.models import AgentRun, ModelExchange

SHOWN_CHARACTERS = 6_000


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One exchange: what was added, what came back, and its figures in words."""

    number: int
    sent: str
    received: str
    figures: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """One run of one attempt with its turns."""

    title: str
    outcome: str
    turns: tuple[Turn, ...]


def conversations(incident_id: int) -> list[Conversation]:
    """Return the conversations about an incident, the newest attempt first, by two queries."""
    runs = AgentRun.objects.filter(incident=incident_id).order_by("-attempt", "-id")
    return [_conversation(run) for run in runs.prefetch_related("exchanges")]


def _conversation(run: AgentRun) -> Conversation:
    turns = list(run.exchanges.all())
    cost = sum(turn.cost_usd for turn in turns)
    words = {
        "answered": "answered",
        "failed": f"gave nothing: {run.reason}",
        "running": "is under way",
    }
    return Conversation(
        title=f"{run.author}, attempt {run.attempt}",
        outcome=f"{words[run.state]} ({len(turns)} turns, ${cost:.4f}, {run.seconds:.1f} s, {run.model or 'no model'})",
        turns=tuple(map(_turn, turns)),
    )


def _turn(row: ModelExchange) -> Turn:
    read = row.input_tokens + row.cache_write_tokens + row.cache_read_tokens
    return Turn(
        number=row.turn,
        sent="\n\n".join(_text(block) for message in row.sent for block in message["content"]),
        received="\n\n".join(map(_text, row.received)),
        figures=f"{read} tokens read ({row.cache_read_tokens} from the cache), {row.output_tokens} written, "
        f"${row.cost_usd:.4f}, {row.duration_ms} ms",
        error=row.error,
    )


def _text(block: dict[str, Any]) -> str:
    """Return a block as text, cut where it gets long; signatures of thinking say nothing to people."""
    kind = block.get("type")
    if kind == "tool_use":
        words = f"uses {block.get('name')} {json.dumps(block.get('input'), ensure_ascii=False)}"
    else:
        words = str(block.get("text") or block.get("content") or block.get("thinking") or "")
    return words if len(words) <= SHOWN_CHARACTERS else words[:SHOWN_CHARACTERS] + "\n(cut here)"
