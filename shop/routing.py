"""The address of the shoppers' socket."""

from __future__ import annotations

from typing import Any

from django.urls import path

from shop.consumers import ShopperSocket

socket: Any = ShopperSocket.as_asgi()  # Django's `path` is typed for views only
websocket_urlpatterns: list[Any] = [path("ws/shop/", socket)]
