"""Pages and fragments of incidents: look up, check who asks, one call, one template."""

from __future__ import annotations
