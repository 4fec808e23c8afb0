"""The registered customers."""

from __future__ import annotations

import secrets
import sqlite3

from errors import ConflictError, invalid_field
from orders import iso
from store import now_ms

User = dict[str, object]


def create(db: sqlite3.Connection, name: str, email: str) -> User:
    """Add a user; an e-mail address belongs to one user only, whatever its case."""
    if db.execute("SELECT 1 FROM users WHERE email = ?", (email,)).fetchone():
        raise ConflictError(f"{email} is registered already", field="email")
    user_id, created = f"usr_{secrets.token_hex(6)}", now_ms()
    db.execute(
        "INSERT INTO users (id, name, email, created_ms) VALUES (?, ?, ?, ?)",
        (user_id, name, email, created),
    )
    return {"id": user_id, "name": name, "email": email, "created_at": iso(created)}


def latest(db: sqlite3.Connection, *, limit: int, after: str) -> tuple[list[User], str | None]:
    """Return a page of users, newest first, and the `after` of the next page if there is one."""
    rows = db.execute(
        "SELECT * FROM users WHERE number < ? ORDER BY number DESC LIMIT ?",
        (_number_of(db, after) if after else 2**62, limit + 1),
    ).fetchall()
    shown = [
        {
            "id": row["id"],
            "name": row["name"],
            "email": row["email"],
            "created_at": iso(row["created_ms"]),
        }
        for row in rows[:limit]
    ]
    return shown, (str(shown[-1]["id"]) if len(rows) > limit else None)


def _number_of(db: sqlite3.Connection, user_id: str) -> int:
    row = db.execute("SELECT number FROM users WHERE id = ?", (user_id,)).fetchone()
    if row is None:
        raise invalid_field("after", f"names no user: {user_id}")
    return int(row["number"])
