"""The ASGI application: pages over HTTP, pushes over one socket. Nothing here depends on which server runs it."""

from __future__ import annotations

import gc
import os
from importlib import import_module

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops_site.settings")
django.setup(set_prefix=False)

# The imports below need Django's apps to be loaded, which the line above does.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402

from agentops_site.handler import PooledHandler  # noqa: E402
from incidents.routing import websocket_urlpatterns as team  # noqa: E402
from monitoring.live_socket import websocket_urlpatterns as live  # noqa: E402
from shop.routing import websocket_urlpatterns as shoppers  # noqa: E402

# Sockets use threads that come and go: a connection kept open there is never used again, only leaked. Requests have
# threads that stay, and keep theirs (handler.py).
for database in settings.DATABASES.values():
    database["CONN_MAX_AGE"] = 0

application = ProtocolTypeRouter(
    {
        "http": PooledHandler(),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter([*team, *live, *shoppers]))
        ),
    }
)

# What is loaded by now stays for good. Left to the collector, it is gone through again and again, which stops all pages and
# pushes for a tenth of a second each time.
import_module(settings.ROOT_URLCONF)
gc.collect()
gc.freeze()
