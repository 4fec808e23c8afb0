"""The built-in safety review, one kind of objection a module. Plain Python; `incidents.engine.reviewer` joins them."""

from __future__ import annotations
