"""Tests of the built-in safety review."""

from __future__ import annotations
