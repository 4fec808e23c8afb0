"""The bench of the storefront judges rightly: which errors a shopper may see, and which orders wait."""

from __future__ import annotations

import random

import pytest

from bench._shopper import Browser, Shopper, Visit
from bench.shop import GRACE, Truth

DOWN = (100.0, 108.0)


@pytest.mark.parametrize(
    ("asked", "took", "excused"),
    [
        (80.0, 1.0, False),
        (95.0, 7.0, True),  # begun while all was well, and reached the shop when it was down
        (104.0, 1.0, True),
        (108.0 + GRACE, 0.1, True),
        (112.0, 0.1, False),
        (112.0, 30.0, False),  # begun after the repair: slow is no excuse
    ],
)
def test_an_error_is_excused_only_if_the_shop_failed_while_the_page_was_made(
    asked: float, took: float, excused: bool
) -> None:
    truth = Truth("http://127.0.0.1:1", failing=[DOWN])
    assert truth.excuses(Visit(asked, "GET /shop/", 200, took)) is excused


@pytest.mark.parametrize("words", ["Your order is kept safe", "Your order is being placed"])
def test_an_order_that_waits_or_is_being_placed_is_followed(words: str) -> None:
    chance = random.Random(1)  # noqa: S311 - a simulation
    shopper = Shopper(Browser("http://127.0.0.1:1"), 1, chance, orders={"a@b.example": ""})
    shopper._note("a@b.example", Visit(0.0, "page", 200, 0.1, f"<h1>{words}</h1>"))
    assert shopper.orders == {"a@b.example": "waiting"}
