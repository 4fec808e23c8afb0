"""Requests to Blaxel that need no SDK: into a service's port, and to the state of its process.

Probes run every few seconds in a worker that must not pay for the SDK's import (2 s, 54 MB), need a hard time limit and
a limit on bytes. The SDK's `fetch` has neither; libcurl has both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from agentops_site.integrations import tally
from agentops_site.integrations.blaxel_gateway import of_gateway
from agentops_site.integrations.http_probe import CurlProber
from agentops_site.models import VendorHour
from monitoring.ports import Call
from monitoring.values import Answer, HttpRequest

API_URL = "https://api.blaxel.ai/v0"
VERSION = "2026-09-22"
VENDOR, Kind = "blaxel", VendorHour.Kind
SCHEME = "blaxel://"
SERVICES = "services"  # of `ServiceSpec.base_url`: the sandbox that the settings name
NOT_SET_UP = "Blaxel is not set up: BL_API_KEY and BL_WORKSPACE are needed"
FORGET_FAILURE_SECONDS = 10.0
_LOOK_UP_SECONDS = 3.0
_known: dict[tuple[str, str], str] = {}
_unknown: dict[tuple[str, str], tuple[float, Exception]] = {}


class Away(Exception):
    """Blaxel did not tell; the text says why and never holds the key."""


class NoSandbox(Away):
    """There is no sandbox of that name."""


def headers() -> dict[str, str]:
    """Return the headers that every request carries, as the SDK sends them."""
    return {
        "X-Blaxel-Authorization": f"Bearer {settings.BL_API_KEY}",
        "X-Blaxel-Workspace": settings.BL_WORKSPACE,
        "Blaxel-Version": VERSION,
    }


def api_url() -> str:
    """Return the address of the control plane."""
    return (settings.BLAXEL_API_URL or API_URL).rstrip("/")


def address(sandbox: str) -> str:
    """Return where a sandbox answers; it never changes while the sandbox lives. Raises Away.

    A failure is remembered for some seconds: probes of other services must not wait for it at every tick.
    """
    if not (settings.BL_API_KEY and settings.BL_WORKSPACE):
        raise Away(NOT_SET_UP)
    key = (api_url(), sandbox)
    if key in _known:
        return _known[key]
    failed_at, error = _unknown.get(key, (0.0, Away("")))
    if time.monotonic() - failed_at < FORGET_FAILURE_SECONDS and failed_at:
        raise error
    try:
        _known[key] = _looked_up(sandbox)
    except Away as away:
        _unknown[key] = (time.monotonic(), away)
        raise
    return _known[key]


def remember(sandbox: str, url: str) -> None:
    """Note where a sandbox answers, as its record says; an empty text forgets it."""
    key = (api_url(), sandbox)
    _unknown.pop(key, None)
    if url:
        _known[key] = url.rstrip("/")
    else:
        _known.pop(key, None)


def _looked_up(sandbox: str) -> str:
    answer = _get(api_url(), f"/sandboxes/{sandbox}", _LOOK_UP_SECONDS)
    if answer.status == 404:
        raise NoSandbox(f"there is no sandbox {sandbox}")
    record = _object(answer, f"the record of {sandbox}")
    if record.get("status") in {"TERMINATED", "DELETING"}:
        raise NoSandbox(f"the sandbox {sandbox} was deleted")
    url = (record.get("metadata") or {}).get("url")
    run = f"https://run.blaxel.ai/{settings.BL_WORKSPACE}/sandboxes/{sandbox}"
    return str(url or run).rstrip("/")


def look(sandbox: str, path: str, seconds: float) -> dict[str, Any] | None:
    """Return the JSON object that a sandbox gives for a path; None when there is nothing. Raises Away."""
    answer = _get(address(sandbox), path, seconds)
    if answer.status == 404:
        if b"NOT_FOUND" in answer.body:  # of the gateway: the sandbox itself is gone
            remember(sandbox, "")
            raise NoSandbox(f"there is no sandbox {sandbox}")
        return None
    return _object(answer, path)


def _get(base: str, path: str, seconds: float) -> Answer:
    request = HttpRequest(path=path, headers=headers())
    answer = ask(Call(key=path, base_url=base, request=request, timeout=seconds))
    tally.count(VENDOR, Kind.LOOK, failed=answer.status not in {200, 404})
    return answer


def ask(call: Call) -> Answer:
    """Send one request and return its answer; never raises."""
    answers: list[Answer] = []
    RoutingProber().ask([call], lambda _call, answer: answers.append(answer))
    return answers[0]


def _object(answer: Answer, what: str) -> dict[str, Any]:
    if answer.status != 200:
        raise Away(f"Blaxel gave no {what}: {answer.failure or f'status {answer.status}'}")
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Away(f"Blaxel's answer for {what} is not understood")
    return found


class RoutingProber:
    """A prober that sends `blaxel://` calls through the service's sandbox, counted, and all others straight."""

    def __init__(self) -> None:
        self._curl = CurlProber()

    def ask(self, calls: Sequence[Call], on_answer: Callable[[Call, Answer], None]) -> None:
        """Send every call at its time and hand over each answer as it comes; return when all have."""
        routed: list[Call] = []
        for call in calls:
            try:
                routed.append(_routed(call))
            except Away as away:
                gone = isinstance(away, NoSandbox)
                on_answer(call, Answer(failure="refused" if gone else "unreachable"))

        unanswered = 0

        def understood(sent: Call, answer: Answer) -> None:
            nonlocal unanswered
            if isinstance(sent.key, _Remote):
                sent, answer = sent.key.call, of_gateway(answer)
                unanswered += bool(answer.failure)
            on_answer(sent, answer)

        self._curl.ask(routed, understood)
        remote = sum(isinstance(call.key, _Remote) for call in routed)
        tally.count(VENDOR, Kind.INTO_APP, requests=remote, failed=unanswered)


class _Remote:
    """The key of a call on its way through a sandbox."""

    def __init__(self, call: Call) -> None:
        self.call = call


def _routed(call: Call) -> Call:
    if not call.base_url.startswith(SCHEME):
        return call
    sandbox, _, port = call.base_url.removeprefix(SCHEME).rpartition(":")
    sandbox = settings.BLAXEL_SANDBOX if sandbox == SERVICES else sandbox
    request = replace(
        call.request,
        path=f"/port/{port}{call.request.path}",
        headers={**call.request.headers, **headers()},
    )
    return replace(call, key=_Remote(call), base_url=address(sandbox), request=request)
