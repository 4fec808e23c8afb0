"""The kill switch (law 7): no new change anywhere while it is on. What it forbids is asked in gates.py."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from incidents.models import AgentState
from teams import access, audit
from teams.models import User
from teams.roles import Verb


def pause_agent(*, person: User, reason: str) -> AgentState:
    """Forbid every new change everywhere, at once, also in the middle of a run (the kill switch)."""
    return _switch(person, paused=True, reason=reason or f"paused by {person}")


def resume_agent(*, person: User) -> AgentState:
    """End the pause, but no freeze; incidents that waited for nothing else are judged again by a person."""
    return _switch(person, paused=False, reason="")


def _switch(person: User, *, paused: bool, reason: str) -> AgentState:
    access.require(person, Verb.PAUSE_AGENT)
    with transaction.atomic():
        state = AgentState.now()
        was = state.paused
        if paused or not state.is_frozen:
            state.reason = reason[:200]  # a freeze that goes on keeps its own
        state.paused, state.changed_by = paused, person
        state.changed_at = timezone.now()
        state.save()
        verb = "agent.paused" if paused else "agent.resumed"
        audit.record(
            actor=person,
            verb=verb,
            target="agent",
            before={"paused": was},
            after={"reason": reason},
        )
    return state
