"""How often the same thing may be asked for, by address and by sender; counted in the cache of the web process."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

SECONDS = 3600


def admits_reset(request: HttpRequest, email: str) -> bool:
    """Count a wish for a reset mail, and say whether one may go out: neither the address nor the sender asked too often.

    An address that is nobody's counts the same, so that the limit tells nothing about who is here.
    """
    sender = str(request.META.get("REMOTE_ADDR", ""))
    counts = [
        (_counted(f"address:{email.strip().lower()}"), settings.RESET_MAILS_PER_ADDRESS),
        (_counted(f"sender:{sender}"), settings.RESET_MAILS_PER_SENDER),
    ]
    return all(count <= limit for count, limit in counts)


def _counted(what: str) -> int:
    key = f"reset:{hashlib.sha256(what.encode()).hexdigest()}"
    cache.add(key, 0, SECONDS)
    try:
        return int(cache.incr(key))
    except ValueError:  # it ran out between the two calls
        return 1
