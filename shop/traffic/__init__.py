"""Simulated shoppers: real requests to a service, bounded, that stop by themselves."""

from __future__ import annotations
