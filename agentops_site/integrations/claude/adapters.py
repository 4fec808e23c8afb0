"""The two ports: the diagnostician holds the conversation, the fix writer uses what it ended with."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from django.conf import settings

from agentops_site.integrations.breaker import VendorError
from agentops_site.integrations.claude import answer, ledger
from agentops_site.integrations.claude.agent import Conversation
from agentops_site.integrations.claude.api import Session
from agentops_site.integrations.claude.budget import Budget, BudgetSpent, Limits, Price
from agentops_site.integrations.claude.discretion import redactor_of
from agentops_site.integrations.claude.names import choose
from agentops_site.integrations.claude.toolbox import Toolbox
from incidents.models import AgentRun
from incidents.ports import DiagnosisError, FixError
from incidents.values import BadActions, DiagnosisDraft, EvidencePack, FixDraft, Wishes


class ClaudeDiagnostician:
    """Finds the cause, and with it the fix, in one conversation an attempt."""

    name = ledger.AUTHOR

    def diagnose(self, pack: EvidencePack) -> DiagnosisDraft:
        """Return what Claude found; raise `DiagnosisError` with the reason within the time budget."""
        if pack.incident_id is None:
            raise DiagnosisError("a conversation belongs to an incident", permanent=True)
        run = ledger.run_of(pack)
        if run.state == AgentRun.State.FAILED:
            raise DiagnosisError(run.reason)
        if run.state == AgentRun.State.RUNNING:
            _converse(run, pack)
        return answer.diagnosis_of(answer.parse(run.answer), pack, _spent(run))


class ClaudeFixWriter:
    """Hands out the fix that the diagnosing conversation ended with; it asks nobody."""

    name = ledger.AUTHOR

    def propose(
        self, pack: EvidencePack, diagnosis: DiagnosisDraft, wishes: Wishes
    ) -> list[FixDraft]:
        """Return Claude's fix, or nothing when it gave none; raise `FixError` for one that may not be tried."""
        run = ledger.find(pack)
        if run is None:
            return []  # the timeline says already why there was no conversation
        try:
            draft = answer.fix_of(answer.parse(run.answer), redactor_of(pack, run.tag))
        except BadActions as error:
            raise FixError(f"its fix was refused: {error}", permanent=True) from error
        return [draft] if draft else []


def _converse(run: AgentRun, pack: EvidencePack) -> None:
    """Hold the conversation and keep its end, good or bad."""
    budget = Budget(limits=Limits.from_settings(), price=Price.of(settings.CLAUDE_MODEL))
    try:
        with closing(Session.from_settings()) as session:
            choice = choose(settings.CLAUDE_MODEL, session.models)
            run.model, budget.price = choice.model, Price.of(choice.model)
            budget.usd = ledger.spent_before(run)
            toolbox = Toolbox(pack, redactor_of(pack, run.tag))
            found = Conversation(session, run, toolbox, budget).hold()
    except (VendorError, BudgetSpent) as error:
        reason = str(error)
        ledger.failed(run, reason, budget.seconds)
        raise DiagnosisError(reason, permanent=getattr(error, "permanent", False)) from error
    ledger.answered(run, answer.text_of(found), budget)


def _spent(run: AgentRun) -> dict[str, Any]:
    """Return what the conversation took, as it is shown with the diagnosis."""
    rows = list(run.exchanges.all())
    cached = sum(row.cache_read_tokens for row in rows)
    read = sum(row.input_tokens + row.cache_write_tokens for row in rows) + cached
    written = sum(row.output_tokens for row in rows)
    return {
        "model_answered": True,
        "model": run.model,
        "turns": len(rows),
        "tokens": read + written,
        "input_tokens": read,
        "cached_tokens": cached,
        "output_tokens": written,
        "cost_usd": round(sum(row.cost_usd for row in rows), 6),
        "seconds": round(run.seconds, 3),
    }
