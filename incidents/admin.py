"""The console's pages of the incidents app."""

from __future__ import annotations
