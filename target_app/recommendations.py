"""What else a shopper may like: from the recommendation backend if there is one, else by rule."""

from __future__ import annotations

import http.client
import json
import sqlite3
from urllib.parse import quote, urlsplit

import catalog
from app import App
from catalog import Product
from config import Backend, Config
from errors import DependencyError

_MOST = 4
_LARGEST_ANSWER = 256 * 1024


def recommend(app: App, product_id: str, config: Config) -> list[Product]:
    """Return up to four products; without a backend, the best rated of the same category.

    A backend that fails costs only this list, unless it is `required`: then DependencyError.
    """
    backend = config.recommendations
    if not backend.url:
        with app.store.reading() as db:
            return catalog.similar_products(db, product_id, most=_MOST)
    try:
        names = fetch(backend, f"?product={quote(product_id, safe='')}")
    except DependencyError:
        if backend.required:
            raise
        return []
    with app.store.reading() as db:
        return _known(db, names)


def fetch(backend: Backend, suffix: str) -> list[object]:
    """Ask the backend for its list of product ids; raise DependencyError when it does not answer."""
    parts = urlsplit(backend.url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=backend.timeout_seconds
    )
    headers = {"Authorization": f"Bearer {backend.api_key}"} if backend.api_key else {}
    try:
        connection.request("GET", f"{parts.path or '/'}{suffix}", headers=headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise DependencyError(f"recommendation backend answered {response.status}")
        answer = json.loads(response.read(_LARGEST_ANSWER))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DependencyError(
            f"recommendation backend at {parts.netloc}: {type(error).__name__}: {error}"
        ) from error
    finally:
        connection.close()
    if not isinstance(answer, list):
        raise DependencyError("recommendation backend did not answer with a list")
    return answer


def _known(db: sqlite3.Connection, names: list[object]) -> list[Product]:
    found = (catalog.find_product(db, name) for name in names[:_MOST] if isinstance(name, str))
    return [product for product in found if product is not None]
