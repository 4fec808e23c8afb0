"""The endpoints. Every request, /health included, goes through `handle`."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import analytics
import catalog
import checkout as checkouts
import health
import orders
import recommendations
import users
import validation
from app import VERSION, App
from catalog import Product
from config import Config, environment_name
from errors import NotFoundError
from messages import Request, Response
from routing import Router
from store import now_ms


def handle(app: App, request: Request) -> Response:
    """Answer one request; raise ApiError for a refusal, anything else is a defect."""
    endpoint, params = ROUTER.find(request.method, request.path)
    response = endpoint(app, request.with_params(params))
    return response.with_headers(common_headers(request))


def common_headers(request: Request) -> dict[str, str]:
    return {"X-Request-Id": request.request_id, "X-App-Version": VERSION}


def get_health(app: App, request: Request) -> Response:
    status, body = health.report(app)
    return Response(status, body)


def list_products(app: App, request: Request) -> Response:
    config = app.config()
    category = request.query.get("category", "")
    words = validation.search_words(request.query)
    sort = validation.choice(request.query, "sort", allowed=catalog.SORTS, default="featured")

    def search() -> list[Product]:
        with app.store.reading() as db:
            return catalog.search_products(db, category=category, words=words, sort=sort)

    products = app.products.get(
        (category, words, sort), search, seconds=config.cache_seconds, most=config.cache_entries
    )
    return Response(HTTPStatus.OK, product_list(products, config))


def product_list(products: Sequence[Product], config: Config) -> dict[str, object]:
    return {"items": products, "total": len(products), "currency": config.currency}


def get_product(app: App, request: Request) -> Response:
    config = app.config()
    product_id = request.params["product_id"]
    with app.store.reading() as db:
        product = catalog.find_product(db, product_id)
    if product is None:
        raise NotFoundError(f"no product {product_id}")
    body = {**product, "currency": config.currency}
    if config.features.recommendations:
        body["recommendations"] = recommendations.recommend(app, product_id, config)
    return Response(HTTPStatus.OK, body)


def list_categories(app: App, request: Request) -> Response:
    with app.store.reading() as db:
        return Response(HTTPStatus.OK, {"items": catalog.count_categories(db)})


def list_orders(app: App, request: Request) -> Response:
    config = app.config()
    limit, after = validation.page(request.query)
    with app.store.reading() as db:
        items, following = orders.latest(
            db, limit=limit, after=after, step_seconds=config.step_seconds
        )
    return Response(HTTPStatus.OK, {"items": items, "next": following})


def get_order(app: App, request: Request) -> Response:
    config = app.config()
    with app.store.reading() as db:
        order = orders.find(db, request.params["order_id"], config.step_seconds)
    return Response(HTTPStatus.OK, order)


def create_order(app: App, request: Request) -> Response:
    return checkouts.purchase(app, request, validation.order_draft)


def checkout(app: App, request: Request) -> Response:
    return checkouts.purchase(app, request, validation.checkout_draft)


def quote_cart(app: App, request: Request) -> Response:
    config = app.config()
    cart = validation.cart(validation.json_body(request), config)
    with app.store.reading() as db:
        quote = checkouts.price(db, cart, config)
    return Response(HTTPStatus.OK, quote.as_json())


def list_users(app: App, request: Request) -> Response:
    limit, after = validation.page(request.query)
    with app.store.reading() as db:
        items, following = users.latest(db, limit=limit, after=after)
    return Response(HTTPStatus.OK, {"items": items, "next": following})


def create_user(app: App, request: Request) -> Response:
    name, email = validation.new_user(validation.json_body(request))
    with app.writing() as db:
        user = users.create(db, name, email)
    return Response(HTTPStatus.CREATED, user)


def get_analytics(app: App, request: Request) -> Response:
    config = app.config()
    with app.store.reading() as db:
        figures = analytics.summary(db, currency=config.currency, now=now_ms())
    return Response(HTTPStatus.OK, figures)


def get_config(app: App, request: Request) -> Response:
    config = app.config()
    body = {
        "version": VERSION,
        "active_environment": environment_name(config),
        "settings": config.public(),
    }
    return Response(HTTPStatus.OK, body)


ROUTER = Router(
    [
        ("GET", "/health", get_health),
        ("GET", "/api/products", list_products),
        ("GET", "/api/products/{product_id}", get_product),
        ("GET", "/api/categories", list_categories),
        ("GET", "/api/orders", list_orders),
        ("POST", "/api/orders", create_order),
        ("GET", "/api/orders/{order_id}", get_order),
        ("POST", "/api/checkout", checkout),
        ("POST", "/api/quote", quote_cart),
        ("GET", "/api/users", list_users),
        ("POST", "/api/users", create_user),
        ("GET", "/api/analytics", get_analytics),
        ("GET", "/api/config", get_config),
    ]
)
