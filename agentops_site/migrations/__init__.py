"""Migrations of the site: vendors."""

from __future__ import annotations
