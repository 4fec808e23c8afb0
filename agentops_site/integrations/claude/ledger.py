"""The record of a conversation: one row a run, one an exchange, redacted as it was sent."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from django.conf import settings
from django.db.models import Sum

from agentops_site.integrations.claude.api import Reply
from agentops_site.integrations.claude.budget import Budget, Tokens
from incidents.models import AgentRun, ModelExchange
from incidents.values import EvidencePack

AUTHOR = "Claude"


def run_of(pack: EvidencePack) -> AgentRun:
    """Return the conversation of this attempt, made when there is none: it is held once, also after a crash."""
    if pack.incident_id is None:
        raise ValueError("a conversation belongs to an incident")
    run, _ = AgentRun.objects.get_or_create(
        incident_id=pack.incident_id,
        attempt=pack.attempt,
        author=AUTHOR,
        defaults={"tag": _tag(pack)},
    )
    return run


def find(pack: EvidencePack) -> AgentRun | None:
    """Return the answered conversation of this attempt, if there is one."""
    if pack.incident_id is None:
        return None
    return AgentRun.objects.filter(
        incident_id=pack.incident_id,
        attempt=pack.attempt,
        author=AUTHOR,
        state=AgentRun.State.ANSWERED,
    ).first()


def spent_before(run: AgentRun) -> float:
    """Return what conversations about this incident have cost so far (US dollars): the limit is one an incident."""
    cost = ModelExchange.objects.filter(run__incident=run.incident_id).aggregate(
        sum=Sum("cost_usd")
    )
    return float(cost["sum"] or 0.0)


def keep(run: AgentRun, sent: list[Any], reply: Reply, *, cost_usd: float, seconds: float) -> None:
    """Write one exchange that was answered."""
    _exchange(
        run,
        sent,
        reply.tokens,
        received=_storable(reply.content),
        stop_reason=reply.stop_reason[:40],
        cost_usd=cost_usd,
        duration_ms=int(seconds * 1000),
    )


def keep_failure(run: AgentRun, sent: list[Any], error: Exception, *, seconds: float) -> None:
    """Write one exchange that was not answered."""
    _exchange(run, sent, Tokens(), error=str(error)[:1000], duration_ms=int(seconds * 1000))


def answered(run: AgentRun, answer: str, budget: Budget) -> None:
    """Close a conversation that reached its end."""
    run.state, run.answer, run.seconds = AgentRun.State.ANSWERED, answer, budget.seconds
    run.save(update_fields=["state", "answer", "seconds", "model"])


def failed(run: AgentRun, reason: str, seconds: float) -> None:
    """Close a conversation that gave nothing."""
    run.state, run.reason, run.seconds = AgentRun.State.FAILED, reason, seconds
    run.save(update_fields=["state", "reason", "seconds", "model"])


def _exchange(run: AgentRun, sent: list[Any], tokens: Tokens, **fields: Any) -> None:
    ModelExchange.objects.create(
        run=run,
        turn=run.exchanges.count() + 1,
        sent=_storable(sent),
        input_tokens=tokens.fresh,
        cache_write_tokens=tokens.cache_write,
        cache_read_tokens=tokens.cache_read,
        output_tokens=tokens.output,
        **fields,
    )


def _tag(pack: EvidencePack) -> str:
    """Return what marks this run's placeholders: the same after a crash, and not to be guessed by a log line."""
    name = f"{pack.incident_id}/{pack.attempt}".encode()
    return hmac.new(settings.SECRET_KEY.encode(), name, hashlib.sha256).hexdigest()[:8]


def _storable(value: Any) -> Any:
    """Return JSON that every database takes: PostgreSQL refuses NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value
