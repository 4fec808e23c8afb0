"""Turns request bodies and query strings into typed values; each refusal names its field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from config import Config
from errors import BadRequestError, UnsupportedMediaTypeError, invalid_field
from fields import Fields, shown
from messages import Request

MOST_LINES = 50
MOST_PIECES = 99
_EMAIL = r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+"
_KEY = r"[\x21-\x7e]+"


@dataclass(frozen=True)
class Customer:
    """Who buys: a known user, or a guest with name and e-mail address."""

    user_id: str | None
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Address:
    line1: str
    city: str
    postcode: str
    country: str


@dataclass(frozen=True)
class Cart:
    """What is wanted, where it goes: all that a price depends on."""

    items: dict[str, int]
    country: str
    gift_wrap: bool


@dataclass(frozen=True)
class Draft:
    """An order that has not been priced. Without `payment_token` it is paid on invoice."""

    cart: Cart
    customer: Customer
    address: Address | None
    payment_token: str | None
    expected_total_cents: int | None


def json_body(request: Request) -> Fields:
    """Return the JSON object that a request carries."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaTypeError(
            f"the body must be application/json, got {content_type or 'no content type'}"
        )
    try:
        value = json.loads(request.body, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise BadRequestError("the body is not UTF-8") from error
    except RecursionError as error:
        raise BadRequestError("the body is nested too deeply") from error
    except ValueError as error:
        raise BadRequestError(f"the body is not valid JSON: {error}") from error
    return Fields(value, "", invalid_field)


def idempotency_key(request: Request, body: Fields) -> str | None:
    """Return the key that makes a repeated purchase the same purchase, from header or body."""
    header = request.headers.get("idempotency-key")
    given = Fields({"Idempotency-Key": header}, "", invalid_field)
    from_header = (
        given.text("Idempotency-Key", longest=200, pattern=_KEY) if header is not None else None
    )
    if "idempotency_key" not in body:
        return from_header
    from_body = body.text("idempotency_key", longest=200, pattern=_KEY)
    if from_header not in (None, from_body):
        raise invalid_field("idempotency_key", "differs from the Idempotency-Key header")
    return from_body


def checkout_draft(body: Fields, config: Config) -> Draft:
    """Read a purchase with address and payment, both required."""
    address = _address(body.child("address"), config)
    return _draft(body, config, address, _payment_token(body.child("payment")))


def order_draft(body: Fields, config: Config) -> Draft:
    """Read an order on invoice; payment and address may be given, the country has a default."""
    address = _address(body.child("address"), config) if "address" in body else None
    token = _payment_token(body.child("payment")) if "payment" in body else None
    return _draft(body, config, address, token)


def cart(body: Fields, config: Config) -> Cart:
    """Read a cart to be priced; its country is in `address.country`, `country` or the default."""
    if "address" in body:
        country = _country(body.child("address"), config)
    elif "country" in body:
        country = _country(body, config)
    else:
        country = config.default_country
    return Cart(_items(body), country, _gift_wrap(body, config))


def new_user(body: Fields) -> tuple[str, str]:
    """Read the name and the e-mail address of a user."""
    return body.text("name", longest=100), _email(body)


def page(query: Mapping[str, str]) -> tuple[int, str]:
    """Read `limit` (1 to 100, default 50) and `after` (an id, default none) of a list."""
    limit = query.get("limit", "50")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 4 and 1 <= int(limit) <= 100):
        raise invalid_field("limit", f"must be a whole number from 1 to 100, got {shown(limit)}")
    return int(limit), query.get("after", "")


def choice(query: Mapping[str, str], name: str, *, allowed: Mapping[str, str], default: str) -> str:
    value = query.get(name) or default
    if value not in allowed:
        raise invalid_field(name, f"must be one of {', '.join(allowed)}, got {shown(value)}")
    return value


def search_words(query: Mapping[str, str]) -> str:
    words = query.get("q", "")
    if len(words) > 100:
        raise invalid_field("q", f"must have up to 100 characters, got {len(words)}")
    return words


def _draft(body: Fields, config: Config, address: Address | None, token: str | None) -> Draft:
    expected = (
        body.integer("expected_total_cents", 0, 10**12) if "expected_total_cents" in body else None
    )
    return Draft(
        cart=cart(body, config),
        customer=_customer(body, config),
        address=address,
        payment_token=token,
        expected_total_cents=expected,
    )


def _items(body: Fields) -> dict[str, int]:
    """Return the pieces wanted of each product; the same product twice is added up."""
    items: dict[str, int] = {}
    for line in body.children("items", most=MOST_LINES):
        product_id = line.text("product_id", longest=100)
        wanted = items.get(product_id, 0) + line.integer("quantity", 1, MOST_PIECES)
        if wanted > MOST_PIECES:
            raise line.wrong("quantity", f"adds up to {wanted}; {MOST_PIECES} is the most")
        items[product_id] = wanted
    return items


def _gift_wrap(body: Fields, config: Config) -> bool:
    wanted = body.flag("gift_wrap", default=False)
    if wanted and not config.features.gift_wrap:
        raise invalid_field("gift_wrap", "is not offered at present")
    return wanted


def _customer(body: Fields, config: Config) -> Customer:
    if "user_id" in body:
        return Customer(body.text("user_id", longest=100))
    guest = body.child("customer")
    if not config.features.guest_checkout:
        raise invalid_field("user_id", "is missing; orders of guests are not taken at present")
    return Customer(None, guest.text("name", longest=100), _email(guest))


def _address(body: Fields, config: Config) -> Address:
    return Address(
        line1=body.text("line1", longest=200),
        city=body.text("city", longest=100),
        postcode=body.text("postcode", longest=20),
        country=_country(body, config),
    )


def _country(body: Fields, config: Config) -> str:
    country = body.text("country", longest=2, pattern=r"[A-Z]{2}")
    if country not in config.tax_rates:
        known = ", ".join(sorted(config.tax_rates))
        raise body.wrong("country", f"{country} is not one we deliver to; those are {known}")
    return country


def _payment_token(body: Fields) -> str:
    if body.text("method", longest=40) != "test_card":
        raise body.wrong("method", "must be test_card")
    return body.text("token", longest=64, pattern=r"tok_[a-z0-9_]+")


def _email(body: Fields) -> str:
    return body.text("email", longest=254, pattern=_EMAIL)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")
