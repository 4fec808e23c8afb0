"""The API as a whole: its page, and how it refuses."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils import timezone

from incidents.models import AgentState
from monitoring.models import Service
from teams import tokens
from teams.models import User
from tests.incidents import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def service() -> Service:
    return rows.shop()


def _ask(person: User | None, method: str, path: str, body: Any = None) -> Any:
    """Call the API; `body` goes as JSON, a text as it is."""
    headers = {"Authorization": f"Bearer {tokens.issue(person, 'test')}"} if person else {}
    data = body if isinstance(body, str) else json.dumps(body)
    more = {} if method == "get" else {"data": data, "content_type": "application/json"}
    return getattr(Client(), method)(f"/api/v1/{path}", headers=headers, **more)


def test_the_page_of_the_api_needs_nothing_that_its_policy_forbids(client: Client) -> None:
    page = client.get("/api/v1/docs")
    html = page.content.decode()
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith("/static/"), address
        assert finders.find(address.removeprefix("/static/")), address
    for tag in re.findall(r"<script([^>]*)>", html):
        assert "src=" in tag or 'type="application/json"' in tag


def test_an_address_that_is_none_is_refused_in_json(shweta: User) -> None:
    for path in ("nonsense", "incidents/abc"):
        answer = _ask(shweta, "get", path)
        assert answer.status_code == 404
        assert "/api/v1/docs" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("delete", "incidents/1", "GET"),
        ("put", "services/shop", "GET, PATCH"),
        ("get", "agent/pause", "POST"),
    ],
)
def test_a_method_that_an_address_has_not_is_refused_in_json(
    shweta: User, method: str, path: str, allowed: str
) -> None:
    for person in (shweta, None):
        answer = _ask(person, method, path)
        assert answer.status_code == 405
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.json() == {"detail": f"This address takes {allowed} only."}
        assert answer.headers["Allow"] == allowed
        assert {"Content-Security-Policy", "Content-Length"} <= set(answer.headers)


@pytest.mark.parametrize("path", ["incidents/77", "services/nosuch"])
def test_what_is_missing_is_named(shweta: User, path: str) -> None:
    answer = _ask(shweta, "get", path)
    assert answer.status_code == 404
    assert path.split("/")[1] in answer.json()["detail"]


def test_a_caller_without_a_token_is_told_how_to_send_one() -> None:
    answer = _ask(None, "get", "services")
    assert answer.status_code == 401
    assert "Authorization: Bearer" in answer.json()["detail"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_body_that_cannot_be_read_is_bad_input(service: Service, shweta: User) -> None:
    answer = _ask(shweta, "post", f"services/{service.slug}/faults", "{not json")
    assert answer.status_code == 422
    assert "JSON" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("deed", "body"),
    [
        ("reject", {"reason": "  "}),
        ("request-changes", {"reason": ""}),
        ("comments", {"text": ""}),
        ("comments", {"text": "x" * 5001}),
        ("assign", {"email": "nobody@example.com"}),
    ],
)
def test_missing_words_are_bad_input_and_no_conflict(
    service: Service, shweta: User, deed: str, body: dict[str, str]
) -> None:
    incident = rows.asked(service)
    answer = _ask(shweta, "post", f"incidents/{incident.pk}/{deed}", body)
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


def test_an_override_without_a_reason_is_bad_input(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    body = {"fix_digest": incident.fixes.get().digest, "reason": " "}
    assert _ask(shweta, "post", f"incidents/{incident.pk}/override", body).status_code == 422


def test_a_refusal_says_that_the_agent_is_paused_and_why(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    assert _ask(shweta, "post", "agent/pause", {"reason": "drill"}).json()["paused"] is True
    body = {"fix_digest": incident.fixes.get().digest}
    answer = _ask(shweta, "post", f"incidents/{incident.pk}/approve", body)
    assert answer.status_code == 409
    assert "the agent is paused (drill)" in answer.json()["detail"]


def test_a_freeze_is_told_and_outlives_a_resume_with_its_reason(shweta: User) -> None:
    until = timezone.now() + timedelta(hours=1)
    AgentState.objects.create(pk=1, frozen_until=until, reason="Release")
    assert _ask(shweta, "get", "agent").json()["frozen_until"]
    told = _ask(shweta, "post", "agent/resume").json()
    assert (bool(told["frozen_until"]), told["reason"]) == (True, "Release")
    assert "frozen until" in AgentState.now().refusal
    AgentState.objects.update(frozen_until=timezone.now())
    assert _ask(shweta, "get", "agent").json()["frozen_until"] is None


def test_another_digest_stays_a_conflict(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    answer = _ask(shweta, "post", f"incidents/{incident.pk}/approve", {"fix_digest": "0" * 64})
    assert answer.status_code == 409


def test_a_status_that_is_none_is_refused_and_not_an_empty_list(
    service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    found = _ask(shweta, "get", "incidents?status=awaiting_approval, ESCALATED").json()["items"]
    assert [one["id"] for one in found] == [incident.pk]
    answer = _ask(shweta, "get", "incidents?status=WAITING")
    assert answer.status_code == 422
    assert "AWAITING_APPROVAL" in answer.json()["detail"]
