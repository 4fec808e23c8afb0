"""The parts of the running service that a request may need, gathered in one place."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from cache import Cache
from catalog import Product
from config import Config, ConfigFile
from store import Store

VERSION = "1.4.0"


class Traffic:
    """Counts requests: how many were served, how many are being answered now."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.served = 0
        self.active = 0

    @contextmanager
    def one_request(self) -> Iterator[None]:
        with self._changed:
            self.active += 1
        try:
            yield
        finally:
            with self._changed:
                self.active -= 1
                self.served += 1
                self._changed.notify_all()

    def counts(self) -> tuple[int, int]:
        """Return how many were served and how many are being answered, of one moment."""
        with self._changed:
            return self.served, self.active

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait for the requests in hand; say whether all were answered in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.active == 0, timeout=seconds)


@dataclass
class App:
    config_file: ConfigFile
    store: Store
    products: Cache[list[Product]] = field(default_factory=Cache)
    traffic: Traffic = field(default_factory=Traffic)
    started: float = field(default_factory=time.monotonic)

    def config(self) -> Config:
        """Return the settings as config.json is now; raise ConfigError while it is unusable."""
        return self.config_file.current()

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Give one transaction within the configured quota of the data directory."""
        return self.store.writing(quota_bytes=self.config().quota_bytes)

    def uptime_seconds(self) -> float:
        return round(time.monotonic() - self.started, 3)
