"""One question to the Anthropic API and its answer: every way in which that can fail becomes a `VendorError`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from django.conf import settings

from agentops_site.integrations import usage
from agentops_site.integrations.breaker import VendorError
from agentops_site.integrations.claude.budget import Price, Room, Tokens
from agentops_site.integrations.deadline import OutOfTime, within
from incidents.engine.redaction import redact

VENDOR, CONVERSATION = "claude", "messages"
LONGEST_PAUSE = 3.0
LIST_SECONDS = 10.0
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A checked answer: content blocks as plain dicts, why the model stopped, and the tokens."""

    content: list[dict[str, Any]]
    stop_reason: str
    tokens: Tokens

    @property
    def text(self) -> str:
        """Return the text of the answer; a thinking block may stand before it."""
        return "".join(block["text"] for block in self.content if block["type"] == "text")

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """Return the tools that the model wants to use."""
        return [block for block in self.content if block["type"] == "tool_use"]


class Session:
    """One client for one conversation, closed at its end or when a call is cut off.

    `purpose` names its calls in the records. Only a conversation about an incident opens the breaker: a summary that
    fails, for instance because its model is misspelt, must not keep the pipeline from asking.
    """

    def __init__(self, *, api_key: str, base_url: str, purpose: str = CONVERSATION) -> None:
        import anthropic

        from agentops_site.integrations.claude.transport import capped_client

        self._purpose = purpose
        self._client = anthropic.Anthropic(
            api_key=api_key,
            base_url=base_url or "https://api.anthropic.com",
            max_retries=0,  # the SDK obeys any retry-after: 3600 would sleep an hour in the worker
            timeout=settings.CLAUDE_CALL_SECONDS,
            http_client=capped_client(),
        )

    @classmethod
    def from_settings(cls, *, purpose: str = CONVERSATION) -> Session:
        """Return a session with the key and address in the settings."""
        key, address = settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL
        return cls(api_key=key, base_url=address, purpose=purpose)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, request: dict[str, Any], *, room: Room, price: Price) -> Reply:
        """Return the answer to one request, asked once more after a short pause when that may help.

        Raises `VendorError` within `room.seconds`, also for an answer that is not a message.
        """
        end = time.monotonic() + room.seconds
        try:
            return self._once(request, end, price)
        except VendorError as error:
            pause = getattr(error, "pause", None)
            if error.permanent or pause is None or time.monotonic() + pause >= end:
                raise
        time.sleep(pause)
        return self._once(request, end, price)

    def models(self) -> dict[str, str]:
        """Return the models that the key may use: name to lifecycle ("active", "deprecated", "retired")."""
        with usage.call(VENDOR, "models"):
            return self._bounded(LIST_SECONDS, self._listed)

    def _listed(self) -> dict[str, str]:
        return {model.id: str(model.lifecycle) for model in self._client.models.list(limit=1000)}

    def _once(self, request: dict[str, Any], end: float, price: Price) -> Reply:
        with usage.call(VENDOR, self._purpose) as call:
            seconds = end - time.monotonic()
            try:
                reply = self._bounded(
                    seconds,
                    lambda: _reply(self._client.messages.create(**request, timeout=seconds)),
                )
            except VendorError as error:
                error.counts = error.counts and self._purpose == CONVERSATION
                raise
            call.cost_usd = price.cost(reply.tokens)
            return reply

    def _bounded(self, seconds: float, work: Callable[[], Result]) -> Result:
        import anthropic
        import httpx2

        try:
            return within(seconds, work, cut=self._client.close)
        except OutOfTime as error:
            raise VendorError(f"Claude gave {error}") from error
        except anthropic.APIStatusError as error:
            _raise_for_status(error)
        except anthropic.APITimeoutError as error:
            raise VendorError(f"Claude gave no answer within {seconds:.0f} s") from error
        except anthropic.APIConnectionError as error:
            _raise_for_connection(error)
        except (anthropic.AnthropicError, httpx2.HTTPError) as error:
            raise VendorError(f"Claude could not be asked ({type(error).__name__})") from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise VendorError(
                f"Claude's answer is not a message ({type(error).__name__})"
            ) from error


class _Passing(VendorError):
    """A failure that may pass: worth one more try after `pause` seconds."""

    def __init__(self, message: str, *, pause: float | None) -> None:
        super().__init__(message)
        self.pause = pause


def _raise_for_connection(error: Exception) -> NoReturn:
    from agentops_site.integrations.claude.transport import TooLarge

    if isinstance(error.__cause__, TooLarge):
        raise VendorError("Claude's answer is too large") from error
    raise _Passing("the connection to Claude failed", pause=0.3) from error


def _raise_for_status(error: Any) -> NoReturn:
    """Turn an error status into words for people; the vendor's own words may hold anything, so they are redacted."""
    status = error.status_code
    detail = redact(" ".join(str(error.api_message or "").split())[:200])
    words = f"Claude answered {status} {error.type or ''}".rstrip() + (
        f": {detail}" if detail else ""
    )
    if status in {408, 409, 429} or status >= 500:
        wait = _wait_asked_for(error.response.headers.get("retry-after"))
        if wait > LONGEST_PAUSE:
            raise VendorError(f"{words} (asks to wait {wait:.0f} s)") from error
        raise _Passing(words, pause=wait) from error
    raise VendorError(words, permanent=True) from error


def _wait_asked_for(header: str | None) -> float:
    """Return the seconds that the vendor asks to wait; what is no plain number counts as a long wait."""
    if header is None:
        return 0.5
    try:
        return max(0.0, float(header))
    except ValueError:
        return float("inf")


def _reply(message: Any) -> Reply:
    """Return the message as plain values; raises TypeError and the like when it is none."""
    blocks = [block.to_dict(mode="json") for block in message.content]
    for block in blocks:
        if not isinstance(block.get("type"), str):
            raise TypeError("a content block without a type")
        if block["type"] == "text" and not isinstance(block.get("text"), str):
            raise TypeError("a text block without text")
    used = message.usage
    return Reply(
        content=blocks,
        stop_reason=str(message.stop_reason),
        tokens=Tokens(
            fresh=_count(used, "input_tokens"),
            cache_write=_count(used, "cache_creation_input_tokens"),
            cache_read=_count(used, "cache_read_input_tokens"),
            output=_count(used, "output_tokens"),
        ),
    )


def _count(used: Any, name: str) -> int:
    value = getattr(used, name, None)
    return max(0, value) if isinstance(value, int) else 0
