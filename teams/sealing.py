"""Keeps short secrets (addresses of channels, which hold tokens) unreadable in the database."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

_PURPOSE = b"agentops.sealing:"


class CannotUnseal(ValueError):
    """The text was sealed under a key that is neither SECRET_KEY nor one of SECRET_KEY_FALLBACKS."""


def seal(text: str) -> str:
    """Return the text encrypted under SECRET_KEY (Fernet: AES-128-CBC and HMAC-SHA256)."""
    return _box().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the text again; raise `CannotUnseal` when no key of this installation opens it."""
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise CannotUnseal(
            "Sealed under another SECRET_KEY: name the old one in SECRET_KEY_FALLBACKS, or enter the address again."
        ) from error


def _box() -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(str(key))) for key in keys])


def _derived(key: str) -> bytes:
    """Return a Fernet key of its own, so that one purpose of SECRET_KEY says nothing about another."""
    return base64.urlsafe_b64encode(hashlib.sha256(_PURPOSE + key.encode()).digest())
