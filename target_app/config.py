"""The settings of the shop, read from config.json whenever that file changes.

A broken file is an outage, not a warning: the former settings are never kept in silence, because
a shop that goes on with prices or taxes that nobody configured any more is worse than none.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from errors import ConfigError
from fields import Fields, shown

# A file changed within the tick of the file system's clock can change again without a new time.
_FRESH_NANOSECONDS = 100_000_000
_SECRET_WORDS = ("secret", "password", "passwd", "token", "api_key", "private", "credential")
_COUNTRY = r"[A-Z]{2}"
_TOP_LEVEL = (
    *("environment", "currency", "default_country", "tax_rates", "shipping", "gift_wrap_cents"),
    *("features", "order_step_seconds", "cache", "payment", "dependencies", "storage"),
)


@dataclass(frozen=True)
class ShippingRate:
    flat_cents: int
    free_over_cents: int


@dataclass(frozen=True)
class Features:
    recommendations: bool
    gift_wrap: bool
    guest_checkout: bool


@dataclass(frozen=True)
class Backend:
    """The optional recommendation service; an empty `url` means: use the built-in rule."""

    url: str
    timeout_seconds: float
    required: bool
    api_key: str


@dataclass(frozen=True)
class Config:
    """All settings, valid. Money in cents, times in seconds, rates as fractions of one."""

    environment: str
    currency: str
    default_country: str
    tax_rates: Mapping[str, Decimal]
    shipping: Mapping[str, ShippingRate]
    default_shipping: ShippingRate
    gift_wrap_cents: int
    features: Features
    step_seconds: Mapping[str, float]
    cache_seconds: float
    cache_entries: int
    payment_timeout_seconds: float
    sandbox_latency_seconds: float
    recommendations: Backend
    quota_bytes: int
    min_free_bytes: int
    document: Mapping[str, object]

    def public(self) -> object:
        """Return config.json as it is, with every value under a secret-looking key hidden."""
        return _without_secrets(self.document)


class ConfigFile:
    """config.json on disk. `current()` is cheap enough to be asked on each request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._config: Config | None = None

    def current(self) -> Config:
        """Return the settings of the file as it is now; raise ConfigError while it is unusable."""
        with self._lock:
            seen = self._signature()
            if self._config is None or seen is None or seen != self._seen:
                self._config = None
                self._config = parse(self._read(), self._path.name)
                self._seen = seen
            return self._config

    def _signature(self) -> tuple[int, ...] | None:
        """Return what tells this version of the file from another; None: too fresh to tell."""
        try:
            found = self._path.stat()
        except OSError as error:
            self._config = None
            raise ConfigError(f"{self._path.name} cannot be read: {error}") from error
        if time.time_ns() - found.st_ctime_ns < _FRESH_NANOSECONDS:
            return None
        return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._path.name} cannot be read: {error}") from error


def parse(text: str, name: str) -> Config:
    """Check the text of a configuration and return it typed; ConfigError names what is wrong."""
    try:
        document = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is not valid JSON: {error}") from error
    root = Fields(document, "", lambda field, problem: ConfigError(f"{name}: {field} {problem}"))
    root.only(*_TOP_LEVEL)
    rates = _tax_rates(root.child("tax_rates"))
    shipping = {key: _rate(root.child("shipping").child(key)) for key in _zones(root)}
    default_country = root.text("default_country", longest=2, pattern=_COUNTRY)
    if default_country not in rates:
        raise root.wrong("default_country", f"{default_country} has no entry in tax_rates")
    cache = root.child("cache", "ttl_seconds", "max_entries")
    payment = root.child("payment", "timeout_seconds", "sandbox_latency_seconds")
    storage = root.child("storage", "quota_mb", "min_free_mb")
    dependencies = root.child("dependencies", "recommendations")
    return Config(
        environment=root.text("environment", longest=40),
        currency=root.text("currency", longest=3, pattern=r"[A-Z]{3}"),
        default_country=default_country,
        tax_rates=rates,
        default_shipping=shipping.pop("default"),
        shipping=shipping,
        gift_wrap_cents=root.integer("gift_wrap_cents", 0, 100_000),
        features=_features(root.child("features")),
        step_seconds=_steps(root.child("order_step_seconds")),
        cache_seconds=float(cache.number("ttl_seconds", "0", "3600")),
        cache_entries=cache.integer("max_entries", 1, 100_000),
        payment_timeout_seconds=float(payment.number("timeout_seconds", "0.001", "30")),
        sandbox_latency_seconds=float(payment.number("sandbox_latency_seconds", "0", "30")),
        recommendations=_backend(dependencies.child("recommendations")),
        quota_bytes=storage.integer("quota_mb", 1, 1_000_000) * 1024 * 1024,
        min_free_bytes=storage.integer("min_free_mb", 0, 1_000_000) * 1024 * 1024,
        document=document,
    )


def environment_name(config: Config | None) -> str:
    """Return the name of this environment: APP_ENV wins, then config.json."""
    return os.environ.get("APP_ENV") or (config.environment if config else "unknown")


def _tax_rates(section: Fields) -> dict[str, Decimal]:
    return {country: section.number(country, "0", "1") for country in section.names()}


def _zones(root: Fields) -> list[str]:
    zones = root.child("shipping").names()
    return zones if "default" in zones else [*zones, "default"]


def _rate(section: Fields) -> ShippingRate:
    section.only("flat_cents", "free_over_cents")
    return ShippingRate(
        flat_cents=section.integer("flat_cents", 0, 1_000_000),
        free_over_cents=section.integer("free_over_cents", 0, 100_000_000),
    )


def _features(section: Fields) -> Features:
    section.only("recommendations", "gift_wrap", "guest_checkout")
    return Features(
        recommendations=section.flag("recommendations"),
        gift_wrap=section.flag("gift_wrap"),
        guest_checkout=section.flag("guest_checkout"),
    )


def _steps(section: Fields) -> dict[str, float]:
    section.only("packed", "shipped", "delivered")
    steps = ("packed", "shipped", "delivered")
    return {step: float(section.number(step, "0", "31536000")) for step in steps}


def _backend(section: Fields) -> Backend:
    section.only("url", "timeout_seconds", "required", "api_key")
    url = section.text("url", longest=500, shortest=0)
    if url and not _is_plain_http(url):
        raise section.wrong("url", f"must be http://host[:port]/path, got {shown(url)}")
    return Backend(
        url=url,
        timeout_seconds=float(section.number("timeout_seconds", "0.001", "30")),
        required=section.flag("required"),
        api_key=section.text("api_key", longest=500, shortest=0),
    )


def _is_plain_http(url: str) -> bool:
    """Say whether a URL is one we can call; credentials belong in `api_key`, where we hide them."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _without_secrets(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: "[hidden]" if _looks_secret(key) else _without_secrets(inner)
            for key, inner in value.items()
        }
    return value


def _looks_secret(key: str) -> bool:
    return any(word in key.lower() for word in _SECRET_WORDS)
