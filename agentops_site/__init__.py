"""The composition root. Importing it makes our Celery app the current one in every process that sends tasks."""

from __future__ import annotations

from celery_app import app as celery_app

__all__ = ["celery_app"]
