"""What the Messages API refuses with 400, as far as our requests could break it (contracts.md section 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

KEYS = {
    "model", "max_tokens", "messages", "system", "tools", "tool_choice", "cache_control", "output_config",
    "thinking", "stop_sequences", "metadata", "service_tier", "stream",
}  # fmt: skip
BLOCK_KEYS = {
    "text": {"type", "text", "cache_control", "citations"},
    "thinking": {"type", "thinking", "signature"},
    "tool_use": {"type", "id", "name", "input", "cache_control", "caller"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
}
SCHEMA_KEYS = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "allOf", "$ref", "$defs",
               "enum", "const", "description", "title", "format", "minItems", "default"}  # fmt: skip


class Invalid(Exception):
    """The request is one that the API refuses; the text is its message."""


def check(body: object) -> dict[str, Any]:
    """Return the request when the API would take it, else raise `Invalid`."""
    if not isinstance(body, dict):
        raise Invalid("body: Input should be an object")
    for key in body:
        _need(key in KEYS, f"{key}: Extra inputs are not permitted")
    for key in ("model", "max_tokens", "messages"):
        _need(key in body, f"{key}: Field required")
    _need(type(body["max_tokens"]) is int and 1 <= body["max_tokens"] <= 128_000, "max_tokens: bad")
    choice = (body.get("tool_choice") or {}).get("type", "auto")
    _need(choice in {"auto", "none"}, "tool_choice: forced tool use is not supported by this model")
    thinking = (body.get("thinking") or {}).get("type", "adaptive")
    _need(thinking in {"adaptive", "between_tools"}, f"thinking.type: {thinking} is not supported")
    _check_tools(body.get("tools") or [])
    _check_format(body.get("output_config") or {})
    _check_messages(body["messages"])
    _check_cache(body)
    return body


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise Invalid(message)


def _check_tools(tools: list[dict[str, Any]]) -> None:
    for tool in tools:
        _need(
            set(tool) <= {"name", "description", "input_schema", "cache_control", "strict"},
            "tools: extra inputs",
        )
        _need(re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]) is not None, "tools.name: bad")
        _need(
            tool["input_schema"].get("type") == "object", "tools.input_schema.type: object expected"
        )
    _need(len({tool["name"] for tool in tools}) == len(tools), "tools: names must be unique")


def _check_format(config: Mapping[str, Any]) -> None:
    _need(set(config) <= {"effort", "format"}, "output_config: Extra inputs are not permitted")
    _need(config.get("effort", "low") in {"low", "medium", "high", "xhigh", "max"}, "effort: bad")
    if "format" in config:
        _need(config["format"].get("type") == "json_schema", "format.type: json_schema expected")
        _check_schema(config["format"]["schema"])


def _check_schema(schema: Mapping[str, Any]) -> None:
    for key in schema:
        _need(key in SCHEMA_KEYS, f"output_config.format.schema: {key} is not supported")
    if schema.get("type") == "object":
        _need(
            schema.get("additionalProperties") is False,
            "schema: additionalProperties must be false",
        )
    inner = [schema["items"]] if "items" in schema else []
    for many in ("anyOf", "allOf"):
        inner += schema.get(many, [])
    for named in ("properties", "$defs"):
        inner += schema.get(named, {}).values()
    for one in inner:
        _check_schema(one)


def _check_messages(messages: list[dict[str, Any]]) -> None:
    _need(bool(messages), "messages: at least one message is required")
    _need(messages[0]["role"] == "user", "messages: first message must use the user role")
    _need(messages[-1]["role"] == "user", "messages: this model does not support assistant prefill")
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        _need(
            set(message) == {"role", "content"}, f"messages.{index}: Extra inputs are not permitted"
        )
        _need(message["role"] in {"user", "assistant"}, f"messages.{index}.role: bad")
        blocks = _blocks(message["content"], index)
        answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        _need(
            answered == waiting,
            f"messages.{index}: tool_use ids without tool_result, or the reverse",
        )
        waiting = {block["id"] for block in blocks if block["type"] == "tool_use"}


def _blocks(content: object, index: int) -> list[dict[str, Any]]:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    _need(isinstance(content, list) and bool(content), f"messages.{index}.content: bad")
    assert isinstance(content, list)
    for block in content:
        allowed = BLOCK_KEYS.get(block.get("type"))
        _need(allowed is not None, f"messages.{index}: unknown block type")
        _need(set(block) <= (allowed or set()), f"messages.{index}: Extra inputs are not permitted")
        if block["type"] == "text":
            _need(
                isinstance(block["text"], str) and bool(block["text"]),
                "text content blocks must be non-empty",
            )
    return content


def _check_cache(body: Mapping[str, Any]) -> None:
    marked = [body, *(body.get("tools") or [])]
    marked += body["system"] if isinstance(body.get("system"), list) else []
    for message in body["messages"]:
        marked += message["content"] if isinstance(message["content"], list) else []
    found = [item["cache_control"] for item in marked if item.get("cache_control")]
    _need(len(found) <= 4, "cache_control: at most 4 blocks may be marked")
    _need(
        all(one.get("type") == "ephemeral" for one in found),
        "cache_control.type: ephemeral expected",
    )
