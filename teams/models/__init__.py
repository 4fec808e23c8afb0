"""People, what they may do, their tokens, and the record of what was done."""

from __future__ import annotations

from teams.models.audit import AuditEntry, AuditHead, AuditIsAppendOnly
from teams.models.matrix import MatrixRow
from teams.models.people import PeopleManager, User
from teams.models.token import ApiToken

__all__ = [
    "ApiToken",
    "AuditEntry",
    "AuditHead",
    "AuditIsAppendOnly",
    "MatrixRow",
    "PeopleManager",
    "User",
]
