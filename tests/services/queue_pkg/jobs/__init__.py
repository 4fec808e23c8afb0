"""A job queue with an HTTP front: threads, everything in memory, one module a part. Watched by tests."""

from __future__ import annotations
