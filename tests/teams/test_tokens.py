"""API tokens: what is kept, who they open for, when they end."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from ninja import NinjaAPI
from ninja.testing import TestClient
from pytest_django import DjangoAssertNumQueries, Settings

from teams import tokens
from teams.access import AccessRefused
from teams.models import ApiToken, AuditEntry, User

pytestmark = pytest.mark.django_db


def _api() -> TestClient:
    api = NinjaAPI(auth=tokens.BearerAuth(), urls_namespace="tokens-test")
    api.add_exception_handler(AccessRefused, tokens.answer_refused)

    @api.get("/me")
    def me(request: Any) -> dict[str, str]:
        return {"email": request.user.email, "auth": request.auth.email}

    @api.post("/override")
    def override(request: Any) -> dict[str, str]:
        return {"by": tokens.require(request, "override").email}

    return TestClient(api)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_only_the_hash_is_kept(yash: User) -> None:
    text = tokens.issue(yash, "laptop")
    row = ApiToken.objects.get()
    assert row.token_hash == hashlib.sha256(text.encode()).hexdigest()
    stored = [str(value) for value in ApiToken.objects.values_list().get()]
    assert not any(text in value for value in stored)
    assert text.startswith(row.prefix)
    entry = AuditEntry.objects.get(verb="token.issued")
    assert text not in entry.after_json
    assert row.token_hash not in entry.after_json


def test_a_token_has_256_random_bits(yash: User) -> None:
    one, two = tokens.issue(yash, "a"), tokens.issue(yash, "b")
    assert one != two
    assert len(one.removeprefix(tokens.MARK)) == 43  # 32 bytes in base64 without padding


def test_a_token_opens_for_its_person_until_it_ends(yash: User, shweta: User) -> None:
    now = timezone.now()
    text = tokens.issue(yash, "laptop", expires=now + timedelta(hours=1))
    assert tokens.person_for(text) == yash
    assert tokens.person_for(text, now=now + timedelta(hours=2)) is None
    assert tokens.person_for(text + "x") is None
    assert tokens.person_for("") is None
    row = ApiToken.objects.get()
    assert tokens.revoke(row, actor=shweta)
    assert tokens.person_for(text) is None
    assert not tokens.revoke(row, actor=shweta), "ended twice"
    assert AuditEntry.objects.filter(verb="token.revoked").count() == 1


def test_the_token_of_somebody_who_left_opens_nothing(yash: User) -> None:
    text = tokens.issue(yash, "laptop")
    User.objects.filter(pk=yash.pk).update(is_active=False)
    assert tokens.person_for(text) is None


def test_a_demo_persons_token_opens_nothing_outside_a_demo(yash: User, settings: Settings) -> None:
    User.objects.filter(pk=yash.pk).update(is_demo=True)
    text = tokens.issue(yash, "laptop")
    settings.DEMO_MODE = True
    assert tokens.person_for(text) == yash
    settings.DEMO_MODE = False
    assert tokens.person_for(text) is None


def test_use_is_noted_coarsely(
    yash: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    text, now = tokens.issue(yash, "laptop"), timezone.now()
    tokens.person_for(text, now=now)
    with django_assert_num_queries(1):
        tokens.person_for(text, now=now + timedelta(minutes=4))
    assert ApiToken.objects.get().last_used == now
    tokens.person_for(text, now=now + timedelta(minutes=6))
    assert ApiToken.objects.get().last_used == now + timedelta(minutes=6)


def test_the_api_answers_401_in_json_without_a_valid_token(yash: User) -> None:
    api = _api()
    for headers in ({}, _bearer("agentops_wrong"), {"Authorization": "Basic eDp5"}):
        answer = api.get("/me", headers=headers)
        assert answer.status_code == 401
        assert "detail" in answer.json()


def test_the_api_knows_the_person_of_the_token(yash: User) -> None:
    answer = _api().get("/me", headers=_bearer(tokens.issue(yash, "laptop")))
    assert answer.json() == {"email": yash.email, "auth": yash.email}


def test_the_api_refuses_with_the_reason_and_the_needed_role(yash: User, shweta: User) -> None:
    api = _api()
    answer = api.post("/override", headers=_bearer(tokens.issue(yash, "laptop")))
    assert answer.status_code == 403
    assert answer.json()["needed_role"] == "team_lead"
    assert "ask Shweta (team lead)" in answer.json()["detail"]
    answer = api.post("/override", headers=_bearer(tokens.issue(shweta, "laptop")))
    assert answer.json() == {"by": shweta.email}


def test_the_command_prints_the_token_and_nothing_else(yash: User) -> None:
    out = StringIO()
    call_command("create_api_token", "Yash@Example.com", stdout=out)
    assert tokens.person_for(out.getvalue().removesuffix("\n")) == yash


def test_the_command_names_an_unknown_person(matrix: None) -> None:
    with pytest.raises(CommandError, match=r"no person .* nobody@example\.com"):
        call_command("create_api_token", "nobody@example.com")


def test_a_person_makes_and_revokes_tokens_in_their_settings(client: Client, yash: User) -> None:
    client.force_login(yash)
    page = client.post("/accounts/profile/tokens/", {"name": "laptop"})
    text = page.context["new_token"]
    assert text in page.content.decode()
    assert tokens.person_for(text) == yash
    assert text not in client.get("/accounts/profile/").content.decode(), "shown twice"
    client.post(f"/accounts/profile/tokens/{ApiToken.objects.get().pk}/revoke/")
    assert tokens.person_for(text) is None


def test_nobody_revokes_anothers_token_in_their_settings(
    client: Client, yash: User, bhumika: User
) -> None:
    text = tokens.issue(yash, "laptop")
    client.force_login(bhumika)
    answer = client.post(f"/accounts/profile/tokens/{ApiToken.objects.get().pk}/revoke/")
    assert answer.status_code == 404
    assert tokens.person_for(text) == yash
