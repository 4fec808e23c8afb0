"""Tests of monitoring."""

from __future__ import annotations
