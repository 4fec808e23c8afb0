"""The conversation: ask, use tools, ask again, until the structured answer or a limit. Every exchange is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from agentops_site.integrations.breaker import VendorError
from agentops_site.integrations.claude import answer, brief, form, ledger
from agentops_site.integrations.claude.api import Reply
from agentops_site.integrations.claude.budget import Budget, Price, Room
from agentops_site.integrations.claude.fence import Fence
from agentops_site.integrations.claude.toolbox import Toolbox, ToolRefused
from incidents.models import AgentRun

CACHED = {"type": "ephemeral"}
EFFORT = "low"  # more thinking costs seconds a turn that an incident does not have
Message = dict[str, Any]


class Asks(Protocol):
    """Whatever answers a request: a session, or a script in a test."""

    def ask(self, request: dict[str, Any], *, room: Room, price: Price) -> Reply: ...


@dataclass
class Conversation:
    """One run of the agent loop."""

    session: Asks
    run: AgentRun
    toolbox: Toolbox
    budget: Budget
    fence: Fence = field(default_factory=Fence)
    messages: list[Message] = field(default_factory=list)
    _told: int = 0

    def hold(self) -> answer.Answer:
        """Talk until the answer; raise `VendorError` or `BudgetSpent`, never later than the budget allows."""
        self._say([{"type": "text", "text": brief.opening(self.toolbox.pack, self.fence)}])
        while True:
            reply = self._exchange()
            self.messages.append({"role": "assistant", "content": reply.content})
            if reply.stop_reason == "end_turn":
                return answer.parse(reply.text)
            if reply.stop_reason == "tool_use" and reply.tool_calls:
                self._say([self._result(call) for call in reply.tool_calls])
            elif reply.stop_reason != "pause_turn":
                raise form.stopped(reply.stop_reason)

    def _exchange(self) -> Reply:
        request = self._request()
        room = self.budget.room(len(repr(request)))
        sent, began = self.messages[self._told :], monotonic()
        try:
            reply = self.session.ask(
                {**request, "max_tokens": room.max_tokens}, room=room, price=self.budget.price
            )
        except VendorError as error:
            ledger.keep_failure(self.run, sent, error, seconds=monotonic() - began)
            raise
        self._told = len(self.messages) + 1
        self.budget.add(reply.tokens)
        cost = self.budget.price.cost(reply.tokens)
        ledger.keep(self.run, sent, reply, cost_usd=cost, seconds=monotonic() - began)
        return reply

    def _request(self) -> dict[str, Any]:
        """Return the request; rules and tools never change, so that they and the past are read from the cache."""
        request = {
            "model": self.run.model,
            "system": [{"type": "text", "text": brief.RULES, "cache_control": CACHED}],
            "tools": self.toolbox.specs(),
            "messages": self.messages,
            "cache_control": CACHED,
            "output_config": {
                "effort": EFFORT,
                "format": {"type": "json_schema", "schema": answer.schema()},
            },
        }
        if self.budget.must_conclude:
            request["tool_choice"] = {"type": "none"}
        return request

    def _say(self, blocks: list[Message]) -> None:
        """Add a message of ours. This is the one door to the vendor: every text is cleaned of secrets here."""
        if self.messages and self.budget.must_conclude:
            blocks = [
                *blocks,
                {"type": "text", "text": brief.conclude("Little of the budget is left.")},
            ]
        clean = self.toolbox.redactor.redact
        for block in blocks:
            key = "content" if block["type"] == "tool_result" else "text"
            block[key] = clean(block[key])
        self.messages.append({"role": "user", "content": blocks})

    def _result(self, call: Message) -> Message:
        name, result = str(call.get("name")), {"type": "tool_result", "tool_use_id": call.get("id")}
        try:
            text = self.toolbox.use(name, call.get("input"))
        except ToolRefused as refused:
            return {**result, "content": str(refused), "is_error": True}
        return {**result, "content": self.fence.wrap("tool answer", text)}
