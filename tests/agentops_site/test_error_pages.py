"""The pages of what went wrong lead on: who shops to the shop, who works here to the work."""

from __future__ import annotations

import json

import pytest
from django.test import Client, RequestFactory

from agentops_site import pages


def test_the_500_page_needs_no_session_and_speaks_to_a_shopper_of_the_shop() -> None:
    team = pages.broken(RequestFactory().get("/services/")).content.decode()
    shopper = pages.broken(RequestFactory().get("/shop/cart/")).content.decode()
    assert "Watching and healing go on" in team
    assert 'href="/status/">Service status</a></div>' in team
    assert "Your cart and your orders are kept." in shopper
    assert 'href="/shop/"' in shopper
    assert "healing" not in shopper


def test_what_breaks_under_the_api_is_told_in_json() -> None:
    answer = pages.broken(RequestFactory().get("/api/v1/agent"))
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/json")
    assert "log" in json.loads(answer.content)["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "leads"), [("/shop/cart/add/", "/shop/"), ("/accounts/login/", "/")]
)
def test_a_form_that_is_too_old_leads_back_to_where_it_was(path: str, leads: str) -> None:
    answer = Client(enforce_csrf_checks=True).post(path, {"product": "x"})
    assert answer.status_code == 403
    assert f'<a class="button button--primary" href="{leads}">' in answer.content.decode()


@pytest.mark.django_db
def test_htmx_is_told_in_one_line_that_a_form_is_too_old() -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/shop/cart/add/", {}, headers={"HX-Request": "true"})
    assert (answer.status_code, answer["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert answer.content == b"This page is too old: load it again and repeat."
