"""TCP ports on this machine."""

from __future__ import annotations

import socket


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def bind_error(host: str, port: int) -> OSError | None:
    """Return why a server could not listen there, or None when it could.

    SO_REUSEADDR as servers set it: connections in TIME_WAIT from the last run do not make a port busy.
    """
    with socket.socket(family_of(host), socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def free_port(*, preferred: int | None = None, host: str = "127.0.0.1") -> int:
    """Return a port nobody listens on: the preferred one when it is free, else one chosen by the system."""
    if preferred and bind_error(host, preferred) is None:
        return preferred
    with socket.socket(family_of(host), socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
