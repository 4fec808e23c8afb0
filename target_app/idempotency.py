"""Remembers the answer to a purchase by its key: the same key gets the same answer, once charged."""

from __future__ import annotations

import hashlib
import json
import sqlite3

from errors import ConflictError
from messages import Request, Response, to_json
from store import now_ms


def fingerprint(request: Request) -> str:
    """Return what two requests must share to be the same purchase: path and meaning of the body."""
    body = json.loads(request.body)
    body.pop("idempotency_key", None)
    canonical = f"{request.path}\n{json.dumps(body, sort_keys=True)}"
    return hashlib.sha256(canonical.encode()).hexdigest()


def recall(db: sqlite3.Connection, key: str | None, digest: str) -> Response | None:
    """Return the answer once given under `key`; raise ConflictError if it was for another body."""
    if key is None:
        return None
    row = db.execute(
        "SELECT fingerprint, status, answer FROM idempotency_keys WHERE key = ?", (key,)
    ).fetchone()
    if row is None:
        return None
    if row["fingerprint"] != digest:
        raise ConflictError(
            "this idempotency key was used for another request", field="idempotency_key"
        )
    return Response(row["status"], json.loads(row["answer"]), {"Idempotency-Replayed": "true"})


def remember(db: sqlite3.Connection, key: str | None, digest: str, response: Response) -> None:
    """Keep an answer in the transaction that did what the answer says."""
    if key is not None:
        db.execute(
            "INSERT INTO idempotency_keys (key, fingerprint, status, answer, created_ms)"
            " VALUES (?, ?, ?, ?, ?)",
            (key, digest, response.status, to_json(response.body), now_ms()),
        )
