"""A stand-in for White Circle: strict about path, headers and shape; it judges only the last message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.standins.server import Received, Send, StandIn, as_json

KEY = "test-key-of-white-circle"
DEPLOYMENT = "dep-1"
VERSION = "2025-12-01"
POLICIES = {"p1": "Data exfiltration", "p2": "Destructive actions"}
_KEYS = {
    "deployment_id",
    "messages",
    "external_session_id",
    "internal_session_id",
    "include_context",
    "metadata",
}
_ROLES = {"user", "assistant", "system", "developer", "tool"}


@dataclass
class WhiteCircleStandIn(StandIn):
    """Flags by policy id what `judge` says of the last message's text; `turns` are sent in place of answers."""

    judge: Callable[[str], set[str]] = field(default=lambda text: set())
    turns: list[Send] = field(default_factory=list)
    sessions: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _played: int = 0

    def answer(self, request: Received) -> Send:
        """Answer one request as the service would."""
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return as_json({"error": "unauthorized"}, status=401)
        problem = self._problem(request)
        if problem:
            self.refused.append(problem)
            return as_json({"error": problem}, status=422)
        if self.turns:
            self._played += 1
            return self.turns[min(self._played, len(self.turns)) - 1]
        return as_json(self.verdict(request.json))

    def verdict(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer in the service's form."""
        broken = self.judge(body["messages"][-1]["content"])
        external = body.get("external_session_id", "")
        internal = self.sessions.setdefault(external, f"ses-{len(self.sessions) + 1}")
        return {
            "flagged": bool(broken),
            "internal_session_id": internal,
            "external_session_id": external,
            "policies": {
                key: {
                    "name": name,
                    "flagged": key in broken,
                    "flagged_source": ["text"] * (key in broken),
                }
                for key, name in POLICIES.items()
            },
        }

    def _problem(self, request: Received) -> str:
        if (request.method, request.path) != ("POST", "/api/session/check"):
            return "no such endpoint"
        if request.headers.get("whitecircle-version") != VERSION:
            return "whitecircle-version is missing or unknown"
        if request.headers.get("content-type") != "application/json":
            return "content type"
        body = request.json
        if set(body) - _KEYS or body.get("deployment_id") != DEPLOYMENT:
            return "unknown keys or deployment"
        return next(filter(None, map(_wrong, body.get("messages") or [{}])), "")


def _wrong(message: dict[str, Any]) -> str:
    if set(message) - {"role", "content", "metadata"} or message.get("role") not in _ROLES:
        return "messages: bad shape"
    return "" if isinstance(message.get("content"), str) and message["content"] else "content: bad"
