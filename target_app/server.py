"""Starts the shop: `python3 server.py PORT`. Settings: config.json, DATA_DIR, HOST, APP_ENV."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import logs
from app import VERSION, App
from config import ConfigFile
from httpd import ShopServer
from store import Store

_HERE = Path(__file__).resolve().parent
_DRAIN_SECONDS = 0.6


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    if len(arguments) != 1 or not arguments[0].isdecimal() or int(arguments[0]) > 65535:
        print("usage: python3 server.py PORT", file=sys.stderr)  # noqa: T201
        return 2
    logs.configure()
    data_dir = Path(os.environ.get("DATA_DIR") or _HERE / "data")
    app = App(ConfigFile(_HERE / "config.json"), Store(data_dir))
    host = os.environ.get("HOST") or "127.0.0.1"
    try:
        server = ShopServer((host, int(arguments[0])), app)
    except OSError as error:
        logs.event("cannot listen", level=logging.ERROR, port=arguments[0], reason=str(error))
        return 1
    serve(server)
    return 0


def serve(server: ShopServer) -> None:
    """Answer requests until told to stop, then finish those in hand within a moment."""

    def stop(number: int, frame: FrameType | None) -> None:
        server.draining = True
        # shutdown() waits for the loop that this handler has interrupted: not in this thread.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    logs.event("started", version=VERSION, port=server.server_port, pid=os.getpid())
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    idle = server.app.traffic.wait_until_idle(_DRAIN_SECONDS)
    server.app.store.close()
    logs.event("stopped", all_requests_answered=idle)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
