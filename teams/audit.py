"""The audit trail: who did what, when, from where, before and after. Append-only and hash-chained.

The chain finds an edited, deleted, inserted or reordered entry; the head row finds entries cut off the end; the seal
(an HMAC under SECRET_KEY) finds a chain that was computed anew by someone who has the database but not the key. What
no check inside the database can find is a restored older copy of the whole trail: keep the printed count elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from teams.models import AuditEntry, AuditHead, User

HEAD = 1
LONGEST_VALUE = 8_000
HIDDEN = "[hidden]"
_SECRET_KEY_NAME = re.compile(
    r"passw|secret|token|api_?key|private_?key|access_?key|credential|authorization|cookie|hash$|dsn$"
    r"|(^|_)(pwd|key|auth|url_with_login)$",
    re.IGNORECASE,
)
_LOGIN_IN_URL = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")


class AuditBroken(RuntimeError):
    """The trail is not what was written; the text names the first wrong entry."""


def record(  # noqa: PLR0913 - an entry of the trail has these six parts
    *,
    actor: User | str,
    verb: str,
    target: models.Model | str,
    before: Any = None,
    after: Any = None,
    origin: str = "",
) -> AuditEntry:
    """Append one entry inside the caller's transaction, so that the act and its record stand or fall together.

    `actor` is a person, or the name of a part of the product ("agent"). `before` and `after` are JSON-like; values under
    keys that look secret are hidden. Call it last in a transaction: it holds the head row until the end.
    """
    entry = AuditEntry(
        at=timezone.now(),
        actor=_short(actor.email if isinstance(actor, User) else actor, 254),
        actor_id=actor.pk if isinstance(actor, User) else None,
        verb=_short(verb, 60),
        **_naming(target),
        before_json=_canonical(before),
        after_json=_canonical(after),
        origin=_short(origin, 200),
    )
    with transaction.atomic():
        head = _locked_head()
        entry.sequence, entry.previous_hash = head.count + 1, head.hash
        entry.hash = entry.digest()
        entry.seal = _seals(entry.hash)[0]
        entry.save()
        head.count, head.hash = entry.sequence, entry.hash
        head.save(update_fields=["count", "hash"])
    return entry


def verify() -> int:
    """Walk the whole trail and return the number of entries; raise `AuditBroken` at the first wrong one.

    Holds no lock: entries that are added meanwhile are walked too.
    """
    count, last = 0, ""
    while True:
        before = count
        count, last = _walk(count, last)
        # Read after the walk: an honest head is never behind an entry that could be seen.
        head = AuditHead.objects.filter(pk=HEAD).first()
        if head is None:
            raise AuditBroken("the head row of the trail is missing")
        if head.count <= count or count == before:
            _compare(head, count, last)
            return count


def origin_of(request: HttpRequest, via: str = "page") -> str:
    """Return from where a request came: the way in ("page", "api", "admin") and the address."""
    return f"{via} {request.META.get('REMOTE_ADDR', '')}".strip()


def redacted(value: Any) -> Any:
    """Return a copy of a JSON-like value without secrets and without overlong texts."""
    if isinstance(value, Mapping):
        return {
            str(key): HIDDEN if _SECRET_KEY_NAME.search(str(key)) and item else redacted(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redacted(item) for item in value]
    if isinstance(value, str):
        return _shortened(_LOGIN_IN_URL.sub(HIDDEN, value))
    return value


def _locked_head() -> AuditHead:
    """Take the head row; writers wait here for each other, so numbers have no gaps and no doubles."""
    locked = AuditHead.objects.select_for_update()
    head = locked.filter(pk=HEAD).first()
    if head is not None:
        return head
    if AuditEntry.objects.exists():
        raise AuditBroken("the head row of the audit trail is missing: run verify_audit")
    AuditHead.objects.get_or_create(pk=HEAD)
    return locked.get(pk=HEAD)


def _walk(count: int, last: str) -> tuple[int, str]:
    """Check the entries after number `count`; return the last number and its hash."""
    following = AuditEntry.objects.filter(sequence__gt=count).order_by("sequence")
    try:
        for entry in following.iterator(chunk_size=500):
            fault = _fault(entry, count + 1, last)
            if fault:
                raise AuditBroken(fault)
            count, last = entry.sequence, entry.hash
    except (ValueError, TypeError, AttributeError) as error:
        # What the database layer raises when somebody wrote, say, a word into a time column.
        raise AuditBroken(f"entry {count + 1}: edited, a field cannot be read ({error})") from error
    return count, last


def _compare(head: AuditHead, count: int, last: str) -> None:
    if head.count > count:
        raise AuditBroken(f"entry {count + 1}: missing; the head counts {head.count} entries")
    if head.count < count:
        raise AuditBroken(f"entry {head.count + 1}: the head counts {head.count} entries only")
    if head.hash != last:
        raise AuditBroken(f"entry {count}: the head row holds another hash for it")


def _fault(entry: AuditEntry, expected: int, previous: str) -> str:
    """Return what is wrong with one entry, "" when nothing."""
    if entry.sequence != expected:
        return f"entry {expected}: missing; entry {entry.sequence} follows"
    if entry.previous_hash != previous:
        return f"entry {expected}: does not follow the entry before it (reordered or replaced)"
    if not hmac.compare_digest(entry.hash, entry.digest()):
        return f"entry {expected}: edited after it was written"
    if not any(hmac.compare_digest(entry.seal, seal) for seal in _seals(entry.hash)):
        return (
            f"entry {expected}: not sealed by this installation; when SECRET_KEY was changed on purpose, "
            "name the old one in SECRET_KEY_FALLBACKS"
        )
    return ""


def _seals(digest: str) -> list[str]:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    text = f"agentops.audit:{digest}".encode()
    return [hmac.new(str(key).encode(), text, hashlib.sha256).hexdigest() for key in keys]


def _naming(target: models.Model | str) -> dict[str, str]:
    if isinstance(target, str):
        return {"target_type": "", "target_id": "", "target": _short(target, 200)}
    return {
        "target_type": target._meta.label_lower,
        "target_id": _short(str(target.pk), 64),
        "target": _short(str(target), 200),
    }


def _canonical(value: Any) -> str:
    plain = json.loads(json.dumps(redacted(value), cls=DjangoJSONEncoder))
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _short(text: str, limit: int) -> str:
    """Return storable text: PostgreSQL refuses NUL, and half a surrogate cannot be encoded."""
    clean = text.replace("\x00", "").encode("utf-8", "replace").decode()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_VALUE:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:LONGEST_VALUE]}… ({len(text)} characters, sha256 {digest})"
