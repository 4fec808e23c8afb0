"""How the service is: every subsystem checked for real, each time it is asked."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from http import HTTPStatus

import recommendations
from app import VERSION, App
from config import Config, environment_name
from errors import ApiError, ConfigError, DependencyError, StorageFullError, describe

OK, DEGRADED, FAILING = "ok", "degraded", "failing"
_WORST_FIRST = (FAILING, DEGRADED, OK)

Check = dict[str, object]


def report(app: App) -> tuple[int, dict[str, object]]:
    """Return 200 or 503 and the state of each subsystem; the first failure is also in `error`."""
    failures: list[Exception] = []
    config_check, config = _check_config(app, failures)
    checks = {
        "database": _timed(lambda: _check_database(app, failures)),
        "config": config_check,
        "disk": _check_disk(app, config, failures),
    }
    if config and config.recommendations.url:
        checks["recommendations"] = _timed(lambda: _check_backend(config, failures))
    states = [check["status"] for check in checks.values()]
    status = next(state for state in _WORST_FIRST if state in states)
    served, active = app.traffic.counts()
    body: dict[str, object] = {
        "status": status,
        "checks": checks,
        "version": VERSION,
        "environment": environment_name(config),
        "uptime_seconds": app.uptime_seconds(),
        "requests_served": served,
        "requests_active": active,
        "pid": os.getpid(),
    }
    if failures:
        body["error"] = describe(failures[0])
    return (HTTPStatus.SERVICE_UNAVAILABLE if status == FAILING else HTTPStatus.OK), body


def _check_config(app: App, failures: list[Exception]) -> tuple[Check, Config | None]:
    try:
        return {"status": OK, "detail": "valid"}, app.config()
    except ConfigError as error:
        return _failed(error, failures), None


def _check_database(app: App, failures: list[Exception]) -> Check:
    try:
        with app.store.reading() as db:
            products = db.execute("SELECT COUNT(*) FROM products").fetchone()[0]
            db.execute("SELECT number FROM orders ORDER BY number DESC LIMIT 1").fetchone()
    except (sqlite3.Error, ApiError) as error:
        return _failed(error, failures)
    return {"status": OK, "products": products}


def _check_disk(app: App, config: Config | None, failures: list[Exception]) -> Check:
    """Compare what the data takes with its quota, and what the disk has left with the least."""
    try:
        free = shutil.disk_usage(app.store.data_dir).free
        used = app.store.used_bytes()
    except OSError as error:
        return _failed(error, failures)
    sizes: Check = {"status": OK, "free_bytes": free, "used_bytes": used}
    if config is None:
        return sizes
    sizes["quota_bytes"] = config.quota_bytes
    try:
        app.store.check_quota(config.quota_bytes)
    except StorageFullError as error:
        return sizes | _failed(error, failures)
    if free < config.min_free_bytes:
        sizes |= {"status": DEGRADED, "detail": f"{free} bytes free on the disk"}
    return sizes


def _check_backend(config: Config, failures: list[Exception]) -> Check:
    try:
        recommendations.fetch(config.recommendations, "")
    except DependencyError as error:
        if config.recommendations.required:
            return _failed(error, failures)
        return {"status": DEGRADED, "detail": error.detail}
    return {"status": OK}


def _failed(error: Exception, failures: list[Exception]) -> Check:
    failures.append(error)
    described = describe(error)
    return {"status": FAILING, "error": described["type"], "detail": described["detail"]}


def _timed(check: Callable[[], Check]) -> Check:
    started = time.perf_counter()
    result = check()
    return result | {"ms": round((time.perf_counter() - started) * 1000, 2)}
