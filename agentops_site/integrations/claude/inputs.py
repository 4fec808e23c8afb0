"""What each tool takes; the API gets the schema, and we check every call against it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MAX_LINES = 250


class ToolInput(BaseModel):
    """Takes exactly the declared fields."""

    model_config = ConfigDict(extra="forbid")


class NoInput(ToolInput):
    """Nothing."""


class ReadFile(ToolInput):
    """A range of lines, both ends included."""

    path: str
    first: int = Field(default=1, ge=1)
    last: int = Field(default=MAX_LINES, ge=1)


class Search(ToolInput):
    """A text to look for; case does not matter."""

    text: str = Field(min_length=1, max_length=200)


class ReadLog(ToolInput):
    """The last lines of the log, or those that contain a text."""

    text: str = Field(default="", max_length=200)
    last: int = Field(default=80, ge=1, le=MAX_LINES)


class ShowDiff(ToolInput):
    """A path, or empty for all."""

    path: str = ""


class RequestCopy(ToolInput):
    """One request."""

    method: str = Field(default="GET", pattern="^(GET|HEAD|POST|PUT|PATCH|DELETE)$")
    path: str = Field(pattern="^/", max_length=2_000)
    body: str = Field(default="", max_length=64_000)
    content_type: str = Field(default="application/json", max_length=100)


class TryFix(ToolInput):
    """Actions as in the final answer."""

    actions: list[dict[str, Any]]
