"""The thread that works."""

from __future__ import annotations

import threading

from jobs.store import Store
from jobs.work import KINDS


def begin(store: Store) -> threading.Thread:
    def work() -> None:
        while True:
            number, kind, text = store.waiting.get()
            store.finish(number, KINDS[kind](text))

    thread = threading.Thread(target=work, name="worker", daemon=True)
    thread.start()
    return thread
