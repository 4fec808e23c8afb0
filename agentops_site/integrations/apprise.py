"""Sends messages through Apprise: kinds of channel by an allow-list, and never to an address inside our own network."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings

from incidents.ports import AnnounceError

WITH_OWN_HOST = {"json", "jsons", "ntfy", "ntfys", "mailto", "mailtos"}
# Others could make Apprise read a local file (pgpkey, template, attach) or retry by itself, past our limits.
ALLOWED_PARAMETERS = frozenset(
    [
        "to",
        "from",
        "name",
        "cc",
        "bcc",
        "reply",
        "smtp",
        "mode",
        "user",
        "pass",
        "format",
        "priority",
        "tags",
        "topic",
        "auth",
        "token",
        "image",
        "footer",
        "avatar",
        "method",
        "region",
        "group",
        "component",
        "class",
        "source",
        "severity",
        "tts",
        "thread",
        "channel",
    ]
)
CUSTOM = ("+", "-", ":")  # headers, query and payload fields of one's own webhook
LONGEST_TEXT = 1500
RESOLVE_SECONDS = 3.0
_TONES = {"blocker": "failure", "critical": "failure", "high": "warning", "medium": "warning"}
_guarded = threading.Lock()


class AppriseAnnouncer:
    """Delivers to one address at a time, in the caller's thread, with limits on time and without redirects."""

    name = "apprise"

    def check(self, address: str) -> str:
        """Return the address masked; raise `AnnounceError` (permanent) for what may not be a channel."""
        plugin = _plugin(address)
        for host in _hosts(plugin, address):
            _refuse_private(_resolved(host))
        return masked(address)

    def announce(self, *, address: str, title: str, body: str, link: str, severity: str) -> None:
        """Send once; raise `AnnounceError`: permanent for an address that is not allowed, else worth a retry."""
        from apprise import LogCapture  # 0.3 s of import that only the worker pays

        plugin = _plugin(address)
        text = f"{body[:LONGEST_TEXT]}\n\n{link}"
        tone = _TONES.get(severity, "info")
        capture = LogCapture(level=logging.WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call]
        with capture as said, _only_public():
            delivered = plugin.notify(title=title, body=text, notify_type=tone)
            reason = said.getvalue().strip()
        if not delivered:
            raise AnnounceError(_without_address(reason, address) or "not delivered")


def masked(address: str) -> str:
    """Return what of an address may be shown: its kind and, where it is a real one, its host."""
    parts = urlsplit(address)
    host = parts.hostname if parts.scheme.lower() in WITH_OWN_HOST else None
    return f"{parts.scheme.lower()}://{host or '…'}/…"


def _plugin(address: str) -> Any:
    """Return Apprise's plugin for an allowed address, set to our limits."""
    schema = urlsplit(address).scheme.lower()
    if schema not in settings.NOTIFY_SCHEMAS:
        known = ", ".join(settings.NOTIFY_SCHEMAS)
        raise AnnounceError(f"Addresses may start with: {known}.", permanent=True)
    for name, _ in parse_qsl(urlsplit(address).query, keep_blank_values=True):
        if name.lower() not in ALLOWED_PARAMETERS and not name.startswith(CUSTOM):
            raise AnnounceError(f"The parameter {name!r} is not allowed here.", permanent=True)
    import apprise  # here for the cost of its import, as above

    plugin = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    if plugin is None:
        raise AnnounceError(f"This is no complete {schema}:// address.", permanent=True)
    plugin.redirects = False  # a public address could else send us to one inside
    plugin.retry = 0
    plugin.overflow_mode = apprise.OverflowMode.TRUNCATE
    limit = settings.NOTIFY_TIMEOUT_SECONDS
    plugin.socket_connect_timeout, plugin.socket_read_timeout = limit, limit
    return plugin


def _hosts(plugin: Any, address: str) -> list[str]:
    if urlsplit(address).scheme.lower() not in WITH_OWN_HOST:
        return []
    named = [getattr(plugin, "smtp_host", None), getattr(plugin, "host", None)]
    return [host.strip("[]") for host in named if host]


def _resolved(host: str) -> list[str]:
    """Return the addresses of a host, none when its name cannot be resolved now: sending looks again."""
    pool = ThreadPoolExecutor(1)
    try:
        found = pool.submit(socket.getaddrinfo, host, None).result(RESOLVE_SECONDS)
    except (OSError, UnicodeError, TimeoutError):
        return []
    finally:
        pool.shutdown(wait=False)
    return [str(entry[4][0]) for entry in found]


def _refuse_private(addresses: list[str]) -> None:
    for text in addresses:
        if not settings.NOTIFY_PRIVATE_ADDRESSES and not _is_public(text):
            raise AnnounceError(
                "This leads inside the machine or its network, which is not allowed here.",
                permanent=True,
            )


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        return inner.is_global if inner else address.is_global and not address.is_multicast
    return address.is_global and not address.is_multicast


@contextmanager
def _only_public() -> Iterator[None]:
    """Check every name that this thread resolves while it sends.

    A check before sending is not enough: a name may lead elsewhere a moment later (DNS rebinding), and some plugins
    reach hosts that their address does not show.
    """
    thread, resolve = threading.get_ident(), socket.getaddrinfo

    def checked(*args: Any, **kwargs: Any) -> Any:
        found = resolve(*args, **kwargs)
        if threading.get_ident() == thread:
            _refuse_private([str(entry[4][0]) for entry in found])
        return found

    with _guarded:
        socket.getaddrinfo = checked
        try:
            yield
        finally:
            socket.getaddrinfo = resolve


def _without_address(reason: str, address: str) -> str:
    """Return the first line of what Apprise logged, without anything that the address holds."""
    line = reason.splitlines()[0] if reason else ""
    parts = urlsplit(address)
    secrets = [parts.password, parts.username, *parts.path.split("/"), *_values(parts.query)]
    for secret in sorted({text for text in secrets if text and len(text) > 3}, key=len):
        line = line.replace(secret, "…")
    return line[:300]


def _values(query: str) -> list[str]:
    return [value for _, value in parse_qsl(query)]
