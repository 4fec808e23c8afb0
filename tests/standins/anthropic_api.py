"""A stand-in for the Anthropic API: as strict as the real one, scripted by the test, with a cache that counts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.standins import anthropic_rules
from tests.standins.server import Received, Send, StandIn, as_json

KEY = "test-key-of-the-stand-in"
VERSION = "2026-10-21"
RETIRED = {"claude-sonnet-4-20250514"}
MODELS = {"claude-sonnet-5-5": "active", "claude-opus-5-5": "active", "claude-haiku-5-5": "active",
          "claude-sonnet-4-20250514": "retired", "claude-old-1": "retired", "claude-next-9": "active"}  # fmt: skip

Turn = Send | list[dict[str, Any]] | Callable[[dict[str, Any]], "Send | list[dict[str, Any]]"]


def text(value: str) -> dict[str, Any]:
    """Return a text block."""
    return {"type": "text", "text": value}


def tool(name: str, number: int = 1, **given: object) -> dict[str, Any]:
    """Return a block by which the model uses a tool."""
    return {"type": "tool_use", "id": f"toolu_{name}_{number}", "name": name, "input": given}


def error(status: int, kind: str, message: str = "no", **headers: str) -> Send:
    """Return an error answer in the API's form."""
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return as_json(body, status=status, request_id="req_1", **headers)


@dataclass
class AnthropicStandIn(StandIn):
    """Plays `turns` in order, then the last again and again; a turn is blocks, a function of the request, or a fault."""

    turns: Sequence[Any] = ()
    delay: float = 0.0
    stop_reason: str = ""
    refused: list[str] = field(default_factory=list)
    _played: int = 0
    _cached: dict[str, int] = field(default_factory=dict)

    def answer(self, request: Received) -> Send:
        """Answer one request as the API would."""
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return error(401, "authentication_error", "invalid bearer token")
        if request.headers.get("anthropic-version") != VERSION:
            return self._refuse("anthropic-version: unknown")
        if request.method == "GET" and request.path.startswith("/v1/models"):
            return as_json({"data": [_model(n, s) for n, s in MODELS.items()], "has_more": False,
                            "first_id": "a", "last_id": "z"})  # fmt: skip
        if (request.method, request.path) != ("POST", "/v1/messages"):
            return error(404, "not_found_error")
        return self._message(request)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Return the bodies of the conversations' requests."""
        return [r.json for r in self.requests if r.path == "/v1/messages"]

    def _message(self, request: Received) -> Send:
        try:
            body = anthropic_rules.check(request.json)
        except anthropic_rules.Invalid as invalid:
            return self._refuse(str(invalid))
        if body["model"] in RETIRED or body["model"] not in MODELS:
            return error(404, "not_found_error", f"model: {body['model']}")
        turn = self.turns[min(self._played, len(self.turns) - 1)]
        self._played += 1
        if callable(turn) and not _is_fault(turn):
            turn = turn(body)
        if self.delay:
            time.sleep(self.delay)
        if callable(turn):
            return turn  # type: ignore[no-any-return]
        return as_json(self.message(body, turn))

    def _refuse(self, message: str) -> Send:
        self.refused.append(message)
        return error(400, "invalid_request_error", message)

    def message(self, body: dict[str, Any], blocks: list[dict[str, Any]]) -> dict[str, Any]:
        """Return an answer with these blocks; a thinking block comes first, as it does by default."""
        uses = any(block["type"] == "tool_use" for block in blocks)
        thinking = {
            "type": "thinking",
            "thinking": "Let me see.",
            "signature": f"sig-{self._played}",
        }
        content = [thinking, *blocks]
        return {
            "id": f"msg_{self._played}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": self.stop_reason or ("tool_use" if uses else "end_turn"),
            "stop_sequence": None,
            "usage": self._usage(body, content),
        }

    def _usage(self, body: dict[str, Any], content: list[dict[str, Any]]) -> dict[str, int]:
        """Count about four characters a token; what an earlier request wrote to the cache is read from it."""
        fixed = json.dumps([body.get("tools"), body.get("system")], sort_keys=True)
        prefixes = [fixed]
        for message in body["messages"]:
            prefixes.append(prefixes[-1] + json.dumps(message, sort_keys=True))
        read = max((len(p) // 4 for p in prefixes if p in self._cached), default=0)
        whole = len(prefixes[-1]) // 4
        if body.get("cache_control"):
            self._cached.update(dict.fromkeys(prefixes, 1))
        written = whole - read if body.get("cache_control") else 0
        return {
            "input_tokens": whole - read - written,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "output_tokens": len(json.dumps(content)) // 4,
        }


def _is_fault(turn: Any) -> bool:
    """Say whether a callable sends by itself (takes the handler) rather than composing an answer to the request."""
    return "handler" in turn.__code__.co_varnames[:1]


def _model(name: str, lifecycle: str) -> dict[str, Any]:
    return {"id": name, "type": "model", "display_name": name, "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": lifecycle}  # fmt: skip
