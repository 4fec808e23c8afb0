"""White Circle as a second safety reviewer: the whole fix is shown to its policies, and only a clear yes is a yes."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings

from agentops_site.integrations import usage
from agentops_site.integrations.breaker import VendorError
from agentops_site.integrations.deadline import OutOfTime, within
from agentops_site.integrations.white_circle_verdict import REVIEWER, not_passed, verdict_of
from incidents.engine.redaction import Redactor, redact
from incidents.ports import ReviewError
from incidents.values import ProposedChange, SafetyVerdict, actions_to_json

VENDOR = "white_circle"
VERSION = "2025-12-01"
MAX_CHARACTERS = 400_000
MAX_ANSWER_BYTES = 1_000_000
PAUSE = 0.5
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


class WhiteCircleReviewer:
    """Asks White Circle's `session/check`; see `incidents.ports.SafetyReviewer`."""

    name = REVIEWER

    def review(self, change: ProposedChange) -> SafetyVerdict:
        """Return the verdict; raise `ReviewError` when the service gave none.

        An answer of 2xx that is flagged, malformed or unclear is a verdict: not passed. No answer is none.
        """
        if not settings.WHITECIRCLE_DEPLOYMENT_ID:
            raise ReviewError("WHITECIRCLE_DEPLOYMENT_ID is not set", permanent=True)
        text = _whole_fix(change)
        if len(text) > MAX_CHARACTERS:
            return not_passed("the fix is too large to be judged as a whole")
        try:
            answer = _check(_request(change, text))
        except VendorError as error:
            raise ReviewError(str(error), permanent=error.permanent) from error
        return verdict_of(answer, change.incident_reference)


def test_connection() -> str:
    """Return in words whether White Circle judges a harmless text as harmless, or why it cannot be asked."""
    if not (settings.WHITECIRCLE_API_KEY and settings.WHITECIRCLE_DEPLOYMENT_ID):
        return "WHITECIRCLE_API_KEY or WHITECIRCLE_DEPLOYMENT_ID is not set."
    harmless = {"role": "assistant", "content": "AgentOps tests its connection."}
    try:
        verdict = verdict_of(_check(_body("agentops-test", [harmless])), "agentops-test")
    except VendorError as error:
        return f"It does not work: {error}."
    policies = f"{len(verdict.policies)} policies were checked"
    return (
        f"It works; {policies}."
        if verdict.passed
        else f"It answers oddly: {verdict.note}; {policies}."
    )


def _request(change: ProposedChange, text: str) -> dict[str, Any]:
    """Return the request: only the last message is judged, so that the complete fix stands there alone."""
    task = f"Repair the service {change.service} by changing its files. Answer with the change."
    messages = [{"role": "user", "content": task}, {"role": "assistant", "content": text}]
    return _body(change.incident_reference, messages)


def _body(session: str, messages: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "deployment_id": settings.WHITECIRCLE_DEPLOYMENT_ID,
        "external_session_id": session,
        "messages": messages,
    }


def _whole_fix(change: ProposedChange) -> str:
    """Return the actions, the diff and the new files in full, without secrets: the same for equal fixes."""
    redactor = Redactor(known=change.environment)
    for path in sorted(change.before):
        redactor.redact(change.before[path].decode("utf-8", "replace"))
    files = [
        f"--- {path} after the change ---\n{'(deleted)' if data is None else data.decode('utf-8', 'replace')}"
        for path, data in sorted(change.after.items())
    ]
    actions = json.dumps(actions_to_json(change.actions), indent=1)
    return redactor.redact("\n\n".join([f"Actions:\n{actions}", f"Diff:\n{change.diff}", *files]))


def _check(body: dict[str, Any]) -> object:
    """Return the JSON of a 2xx answer (None when it is no JSON); raise `VendorError` for everything else."""
    end = time.monotonic() + settings.WHITECIRCLE_SECONDS
    try:
        return _once(body, end)
    except _Passing:
        if time.monotonic() + PAUSE >= end:
            raise
    time.sleep(PAUSE)
    return _once(body, end)


class _Passing(VendorError):
    """A failure that may pass: worth one more try."""


def _once(body: dict[str, Any], end: float) -> object:
    import requests

    with usage.call(VENDOR, "session/check"), requests.Session() as session:
        seconds = max(0.1, end - time.monotonic())
        try:
            status, data = within(seconds, lambda: _post(session, body, seconds), cut=session.close)
        except (OutOfTime, requests.Timeout) as error:
            raise VendorError(f"White Circle gave no answer within {seconds:.0f} s") from error
        except requests.RequestException as error:
            raise _Passing("the connection to White Circle failed") from error
        _refuse_status(status, data)
        return _json(data)


def _post(session: Any, body: dict[str, Any], seconds: float) -> tuple[int, bytes]:
    """Return the status and the first bytes of the answer; a redirect is not followed: the fix goes nowhere else."""
    session.auth = _bearer  # set here, a .netrc of the worker's home cannot replace it
    with session.post(
        f"{settings.WHITECIRCLE_API_URL.rstrip('/')}/session/check",
        json=body,
        headers={"whitecircle-version": VERSION},
        timeout=(min(10.0, seconds), seconds),
        allow_redirects=False,
        stream=True,
    ) as response:
        data = b""
        for chunk in response.iter_content(65_536):
            data += chunk
            if len(data) > MAX_ANSWER_BYTES:
                break
        return int(response.status_code), data


def _bearer(request: Any) -> Any:
    request.headers["Authorization"] = f"Bearer {settings.WHITECIRCLE_API_KEY}"
    return request


def _refuse_status(status: int, data: bytes) -> None:
    if 200 <= status < 300:
        return
    words = redact(" ".join(data[:200].decode("utf-8", "replace").split()))
    message = f"White Circle answered {status}" + (f": {words}" if words else "")
    if status in _PASSING:
        raise _Passing(message)
    raise VendorError(message, permanent=True)


def _json(data: bytes) -> object:
    if len(data) > MAX_ANSWER_BYTES:
        return None
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value
