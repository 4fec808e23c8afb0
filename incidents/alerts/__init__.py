"""Telling people: notifications inside the product; channels and escalation beside them."""

from __future__ import annotations
