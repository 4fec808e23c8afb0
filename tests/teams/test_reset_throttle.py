"""Reset mails are few an hour for an address and for a sender, and the answer tells neither that nor who is here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from teams.models import User
from tests.conftest import PASSWORD

RESET = "/accounts/reset/"


@pytest.fixture(autouse=True)
def fresh_counts(db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def ask(email: str, sender: str = "10.0.0.1") -> tuple[int, str, bytes]:
    answer: Any = Client().post(RESET, {"email": email}, REMOTE_ADDR=sender)
    return answer.status_code, answer.headers["Location"], answer.content


def test_an_address_gets_few_mails_whoever_asks(yash: User, settings: Any) -> None:
    for number in range(settings.RESET_MAILS_PER_ADDRESS + 5):
        spelling = yash.email.upper() if number % 2 else f" {yash.email}"
        ask(spelling, sender=f"10.0.1.{number}")
    assert len(mail.outbox) == settings.RESET_MAILS_PER_ADDRESS


def test_a_sender_causes_few_mails_whatever_the_addresses(settings: Any) -> None:
    people = [
        User.objects.create_user(f"p{number}@example.com", PASSWORD)
        for number in range(settings.RESET_MAILS_PER_SENDER + 5)
    ]
    for person in people:
        ask(person.email)
    assert len(mail.outbox) == settings.RESET_MAILS_PER_SENDER
    ask(people[-1].email, sender="10.0.0.2")
    assert len(mail.outbox) == settings.RESET_MAILS_PER_SENDER + 1


def test_the_answer_is_the_same_for_known_unknown_and_throttled(yash: User) -> None:
    answers = {ask(yash.email), ask("ghost@example.com")}
    answers |= {ask(email) for email in (yash.email, "ghost@example.com") for _ in range(20)}
    assert answers == {(302, "/accounts/reset/sent/", b"")}


def test_a_forwarded_header_makes_no_new_sender(yash: User, settings: Any) -> None:
    for number in range(settings.RESET_MAILS_PER_SENDER + 5):
        email = f"p{number}@example.com"
        User.objects.create_user(email, PASSWORD)
        Client().post(RESET, {"email": email}, headers={"X-Forwarded-For": f"10.1.1.{number}"})
    assert len(mail.outbox) == settings.RESET_MAILS_PER_SENDER
