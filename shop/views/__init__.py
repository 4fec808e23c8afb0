"""The storefront's pages."""

from __future__ import annotations
