"""The ways in which the API can fail, each with words of the reason: for everything that asks Claude."""

from __future__ import annotations

import json
from typing import Any

from tests.integrations.claude import scripts
from tests.standins.anthropic_api import error, text
from tests.standins.server import as_json, drip, endless, hang, reset, respond, truncated


def extra_keys() -> list[dict[str, Any]]:
    """Return an answer with a key that nobody asked for."""
    return [text(json.dumps({**scripts.answer(), "deploy_now": True}))]


FAULTS: dict[str, tuple[Any, str]] = {
    "400": (error(400, "invalid_request_error"), "answered 400"),
    "401": (error(401, "authentication_error"), "answered 401"),
    "402": (error(402, "billing_error", "credit is used up"), "credit is used up"),
    "403": (error(403, "permission_error"), "answered 403"),
    "404": (error(404, "not_found_error"), "answered 404"),
    "413": (error(413, "request_too_large"), "answered 413"),
    "429": (error(429, "rate_limit_error"), "answered 429"),
    "429 for an hour": (error(429, "rate_limit_error", retry_after="3600"), "wait 3600 s"),
    "429 until a date": (
        error(429, "rate_limit_error", retry_after="Wed, 21 Oct 2099 07:28:00 GMT"),
        "answered 429",
    ),
    "429 with nonsense": (error(429, "rate_limit_error", retry_after="nan"), "answered 429"),
    "500": (error(500, "api_error"), "answered 500"),
    "503 without JSON": (respond(b"<h1>busy</h1>", status=503, kind="text/html"), "answered 503"),
    "529": (error(529, "overloaded_error"), "answered 529"),
    "redirect": (respond(b"", status=307, Location="http://127.0.0.1:9/"), "answered 307"),
    "hang": (hang, "within"),
    "drip": (drip, "within"),
    "reset": (reset, "connection"),
    "truncated body": (truncated, "connection"),
    "endless body": (endless, "too large"),
    "malformed JSON": (respond(b'{"id": '), "not a message"),
    "empty": (respond(b""), "not a message"),
    "HTML": (respond(b"<html>hello</html>", kind="text/html"), "not a message"),
    "another JSON": (as_json({"hello": "world"}), "not a message"),
    "a JSON list": (as_json([1, 2]), "not a message"),
    "null content": (as_json({"id": "m", "type": "message", "content": None}), "not a message"),
    "text that is no JSON": ([text("I think the bug is in line 7.")], "agreed form"),
    "fenced JSON": ([text("```json\n{}\n```")], "agreed form"),
    "wrong schema": ([text('{"diagnosis": "bad"}')], "agreed form"),
    "extra keys": (extra_keys(), "agreed form"),
    "certainty of 7": (scripts.final(diagnosis=scripts.diagnosis(certainty=7)), "agreed form"),
    "unknown category": (scripts.final(diagnosis=scripts.diagnosis(category="x")), "agreed form"),
    "no content": ([], "agreed form"),
    "deep nesting": ([text("[" * 100_000)], "agreed form"),
}
STOPS = [
    ("refusal", "declined"),
    ("max_tokens", "cut off"),
    ("model_context_window_exceeded", "too long"),
    ("stop_sequence", "stopped"),
    ("something_new", "something_new"),
]
