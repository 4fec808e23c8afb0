"""The SDK of Blaxel, set up so that it keeps to our limits. Imported late: the SDK costs 2 s and 54 MB.

What the SDK does by itself and what is done about it here: it reads credentials from the environment and the home
folder at import (ours are set explicitly), takes over logging (put back), has no time limit on the control plane and on
`exec` (one for every call), and repeats reads up to five times (once).
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
from django.conf import settings

from agentops_site.integrations.blaxel_http import api_url
from agentops_site.integrations.bounded_http import BoundedClient, tls

MAX_ANSWER_BYTES = 200_000_000
_lock = threading.Lock()
_LOGGERS = ("httpx", "urllib3", "httpcore")


def errors() -> tuple[type[Exception], ...]:
    """Return all that the SDK is known to raise (contracts: section 2.4)."""
    from blaxel.core.authentication.types import CredentialsError
    from blaxel.core.errors import BlaxelError

    shapes = (ValueError, KeyError, TypeError, AttributeError, AssertionError, RuntimeError)
    return (BlaxelError, CredentialsError, httpx.HTTPError, TimeoutError, *shapes)


def sandboxes() -> Any:
    """Return the SDK's class of sandboxes, set to our credentials, address and limits."""
    with _lock, _own_logging():
        instances = _imported()
        _set_up()
    return instances


@cache
def _imported() -> Any:
    for name, value in (
        ("DO_NOT_TRACK", "1"),
        ("BL_SANDBOX_READ_RETRIES", "1"),
        ("BL_FS_PART_RETRIES", "1"),
    ):
        os.environ.setdefault(name, value)
    from blaxel.core.sandbox import SyncSandboxInstance

    return SyncSandboxInstance


@contextlib.contextmanager
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)
        if not levels["httpx"]:
            logging.getLogger("httpx").setLevel(
                logging.WARNING
            )  # it would log a line for every call


def _set_up() -> None:
    from blaxel.core.authentication.apikey import ApiKey
    from blaxel.core.authentication.types import CredentialsType
    from blaxel.core.client.client import client
    from blaxel.core.common.settings import settings as sdk

    key, workspace = settings.BL_API_KEY, settings.BL_WORKSPACE
    sdk.auth = ApiKey(CredentialsType(api_key=key, workspace=workspace), workspace, api_url())
    control = BoundedClient(
        base_url=api_url(),
        auth=sdk.auth,
        headers={"Blaxel-Version": sdk.api_version},
        verify=tls(),
        max_bytes=MAX_ANSWER_BYTES,
    )
    client.set_httpx_client(control)


def bound(part: Any) -> None:
    """Have a part of a sandbox's instance (process, fs) send through our client."""
    from blaxel.core.common.settings import settings as sdk

    def get_client() -> BoundedClient:
        headers = {**sdk.headers, **part.sandbox_config.headers}
        return BoundedClient(
            base_url=part.url, headers=headers, verify=tls(), max_bytes=MAX_ANSWER_BYTES
        )

    part.get_client = get_client
