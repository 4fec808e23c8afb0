"""The form of a structured answer: its schema for the API, and our own check: the API enforces no ranges or lengths."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agentops_site.integrations.breaker import VendorError

STOPPED = {
    "refusal": "Claude declined to answer",
    "max_tokens": "Claude's answer was cut off at its length limit",
    "model_context_window_exceeded": "the conversation grew too long for Claude",
}


class Strict(BaseModel):
    """What every structured answer is: no key that nobody asked for, no NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


Form = TypeVar("Form", bound=Strict)


def schema_of(form: type[Strict]) -> dict[str, Any]:
    """Return the JSON schema in the shape that the API accepts."""
    from anthropic import transform_schema

    return transform_schema(form)


def checked(form: type[Form], text: str) -> Form:
    """Return the answer as a value; raise `VendorError` that names the first fault."""
    try:
        return form.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:80]
        raise VendorError(
            f"Claude's answer does not have the agreed form ({place or 'whole'}: {first['msg'][:120]})",
            counts=False,
        ) from error
    except ValueError as error:
        raise VendorError("Claude's answer is not valid text", counts=False) from error


def stopped(reason: str) -> VendorError:
    """Return the error of an answer that did not end by itself: the vendor works, so it does not count."""
    return VendorError(STOPPED.get(reason, f"Claude stopped ({reason[:40]})"), counts=False)
