"""The tests, in the layout of the code."""

from __future__ import annotations
