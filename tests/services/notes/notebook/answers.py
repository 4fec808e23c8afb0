"""What is answered to which request."""

from __future__ import annotations

import json

from notebook.settings import Settings
from notebook.storage import Notes


def answer(
    method: str, path: str, body: bytes, settings: Settings, notes: Notes
) -> tuple[int, object]:
    if path == "/healthz":
        return 200, {"status": "ok", "notes": len(notes.all())}
    if (method, path) == ("GET", "/notes"):
        return 200, {"title": settings.title, "items": notes.all()}
    if (method, path) == ("POST", "/notes"):
        text = str(json.loads(body)["text"])
        if len(text) > settings.max_length:
            return 422, {"error": {"type": "TooLong", "detail": f"at most {settings.max_length}"}}
        return 201, {"id": notes.add(text)}
    return 404, {"error": {"type": "NotFound", "detail": path}}
