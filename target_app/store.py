"""The database: one SQLite file in WAL mode, reached through a small pool of connections.

A committed order survives `kill -9` and a power cut (WAL, synchronous FULL). Writers take turns on
a lock of this process first, because SQLite's own waiting is by polling and unfair; BEGIN IMMEDIATE
keeps two processes apart, for instance while a restart overlaps.
"""

from __future__ import annotations

import json
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from errors import DatabaseUnavailableError, StorageFullError

_POOL_SIZE = 12
_WAIT_SECONDS = 5.0
_HERE = Path(__file__).resolve().parent

_SCHEMA = """
CREATE TABLE products (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    category TEXT NOT NULL,
    price_cents INTEGER NOT NULL,
    stock INTEGER NOT NULL,
    rating REAL NOT NULL
);
CREATE INDEX products_by_category ON products (category, position);

CREATE TABLE users (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    created_ms INTEGER NOT NULL
);

CREATE TABLE orders (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    placed_ms INTEGER NOT NULL,
    user_id TEXT REFERENCES users (id),
    customer_name TEXT NOT NULL,
    customer_email TEXT NOT NULL,
    address TEXT,
    country TEXT NOT NULL,
    currency TEXT NOT NULL,
    subtotal_cents INTEGER NOT NULL,
    gift_wrap_cents INTEGER NOT NULL,
    shipping_cents INTEGER NOT NULL,
    tax_rate TEXT NOT NULL,
    tax_cents INTEGER NOT NULL,
    total_cents INTEGER NOT NULL
);
CREATE INDEX orders_by_time ON orders (placed_ms);

CREATE TABLE order_items (
    order_number INTEGER NOT NULL REFERENCES orders (number),
    product_id TEXT NOT NULL REFERENCES products (id),
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    unit_price_cents INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (order_number, product_id)
);

CREATE TABLE payments (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    order_number INTEGER NOT NULL UNIQUE REFERENCES orders (number),
    method TEXT NOT NULL,
    status TEXT NOT NULL,
    reference TEXT NOT NULL UNIQUE,
    amount_cents INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
);

CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);

PRAGMA user_version = 1;
"""


class Store:
    """The pool. `reading()` gives a consistent snapshot, `writing()` one transaction."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir = data_dir
        self.path = data_dir / "shop.sqlite3"
        self._idle: queue.LifoQueue[sqlite3.Connection | None] = queue.LifoQueue()
        for _ in range(_POOL_SIZE):
            self._idle.put(None)
        self._turn = threading.Lock()
        self._create()
        self._inode = self.path.stat().st_ino

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._borrowed() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def writing(self, *, quota_bytes: int) -> Iterator[sqlite3.Connection]:
        """Give one transaction, unless the data takes more than its quota: StorageFullError."""
        self.check_quota(quota_bytes)
        # The turn comes before the connection: waiting writers must not starve the readers.
        if not self._turn.acquire(timeout=_WAIT_SECONDS):
            raise DatabaseUnavailableError(f"the database was busy for {_WAIT_SECONDS:.0f} s")
        try:
            with self._borrowed() as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.commit()
                finally:
                    connection.rollback()
        finally:
            self._turn.release()

    def used_bytes(self) -> int:
        """Return what all files of the data directory take."""
        return sum(entry.stat().st_size for entry in os.scandir(self.data_dir))

    def check_quota(self, quota_bytes: int) -> None:
        used = self.used_bytes()
        if used > quota_bytes:
            raise StorageFullError(f"the data takes {used} bytes of a quota of {quota_bytes}")

    def close(self) -> None:
        """Close the idle connections; the last one to close folds the WAL into the file."""
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return
            if connection is not None:
                connection.close()

    @contextmanager
    def _borrowed(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get(timeout=_WAIT_SECONDS)
        except queue.Empty:
            raise DatabaseUnavailableError(
                f"no database connection was free for {_WAIT_SECONDS:.0f} s"
            ) from None
        try:
            self._check_file()
            connection = connection or self._open()
            yield connection
        except (sqlite3.Error, DatabaseUnavailableError):
            # A connection that failed once may be unusable: the next borrower gets a new one.
            if connection is not None:
                connection.close()
            connection = None
            raise
        finally:
            self._idle.put(connection)

    def _check_file(self) -> None:
        """Refuse to go on when the file was removed or replaced under our open connections.

        Without this, orders would be written with success into a file that has no name any more.
        """
        try:
            inode = self.path.stat().st_ino
        except OSError as error:
            raise DatabaseUnavailableError(f"the database file is gone: {error}") from error
        if inode != self._inode:
            raise DatabaseUnavailableError("the database file was replaced while the service ran")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=_WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def _create(self) -> None:
        """Make the tables and the first catalogue, all or nothing, once."""
        connection = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                _seed(connection)
            connection.commit()
        finally:
            connection.close()


def now_ms() -> int:
    """Return the time as whole milliseconds since 1970 in UTC: how every time is stored."""
    return time.time_ns() // 1_000_000


def _seed(connection: sqlite3.Connection) -> None:
    seed = json.loads((_HERE / "seed.json").read_text(encoding="utf-8"))
    connection.executemany(
        "INSERT INTO products (id, position, name, description, category, price_cents, stock,"
        " rating) VALUES (:id, :position, :name, :description, :category, :price_cents, :stock,"
        " :rating)",
        [{**product, "position": place} for place, product in enumerate(seed["products"])],
    )
    connection.executemany(
        "INSERT INTO users (id, name, email, created_ms) VALUES (:id, :name, :email, :now)",
        [{**user, "now": now_ms()} for user in seed["users"]],
    )
