"""The web server: uvicorn, which serves pages, API and sockets from one process (`python -m agentops_site.serve --port 8000`).

Why uvicorn, and what each option guards: docs/decisions/0007.
"""

from __future__ import annotations

import argparse
import socket

import uvicorn

APPLICATION = "agentops_site.asgi:application"
PATIENCE_SECONDS = 30.0
LONGEST_FROM_A_PAGE = 4_096  # bytes: pages say "ping" and nothing else


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("application", nargs="?", default=APPLICATION)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_SECONDS,
        help="seconds until a line that takes nothing is cut",
    )
    asked = parser.parse_args()
    settings = uvicorn.Config(
        asked.application,
        host=asked.host,
        port=asked.port,
        lifespan="off",
        http="h11",
        ws="websockets-sansio",
        loop="uvloop",
        ws_max_size=LONGEST_FROM_A_PAGE,
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    listening = settings.bind_socket()
    listening.set_inheritable(False)
    _cut_when_stalled(listening, asked.patience)
    uvicorn.Server(settings).run(sockets=[listening])


def _cut_when_stalled(listening: socket.socket, patience: float) -> None:
    """Have the kernel end a line whose other end takes nothing for this long; accepted lines inherit it.

    An application cannot: a close waits behind what was not taken. Elsewhere than on Linux such a line stays until TCP
    itself gives up.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(patience * 1000))
        )


if __name__ == "__main__":
    main()
