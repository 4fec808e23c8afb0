"""Addresses of the storefront."""

from __future__ import annotations

from django.urls import path

from shop.views import account, cart, catalogue, checkout, orders, traffic

app_name = "shop"
urlpatterns = [
    path("shop/", catalogue.catalogue, name="catalogue"),
    path("shop/products/<str:product_id>/", catalogue.product, name="product"),
    path("shop/cart/", cart.show, name="cart"),
    path("shop/cart/add/", cart.add, name="cart_add"),
    path("shop/cart/change/", cart.change, name="cart_change"),
    path("shop/checkout/", checkout.checkout, name="checkout"),
    path("shop/checkout/totals/", checkout.totals, name="checkout_totals"),
    path("shop/orders/", orders.orders, name="orders"),
    path("shop/orders/list/", orders.orders_list, name="orders_list"),
    path("shop/orders/<str:code>/", orders.order, name="order"),
    path("shop/orders/<str:code>/state/", orders.order_state, name="order_state"),
    path("shop/orders/<str:code>/agree/", orders.agree, name="agree"),
    path("shop/orders/<str:code>/cancel/", orders.cancel, name="cancel"),
    path("shop/orders/<str:code>/again/", orders.again, name="again"),
    path("live/traffic/<slug:slug>/", traffic.show, name="traffic"),
    path("live/traffic/<slug:slug>/start/", traffic.start, name="traffic_start"),
    path("live/traffic/<slug:slug>/stop/", traffic.stop, name="traffic_stop"),
    path("shop/account/", account.account, name="account"),
    path("shop/account/forget/", account.forget, name="forget"),
]
