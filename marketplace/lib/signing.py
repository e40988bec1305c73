"""Signatures over links and encryption of what must not be readable in the database.

Keys are derived from `SECRET_KEY` with a purpose each, so that one leaked signature says nothing of another.
"""

import base64
import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet
from django.conf import settings


@lru_cache
def _key(purpose: str, secret: str) -> bytes:
    return hmac.digest(secret.encode(), f"modelyard {purpose}".encode(), hashlib.sha256)


def derived(purpose: str) -> bytes:
    """32 secret bytes of this installation, for one purpose: a key for what needs one of its own kind."""
    return _key(purpose, settings.SECRET_KEY)


def sign(purpose: str, text: str) -> str:
    """HMAC-SHA256 of the text in standard base64."""
    return base64.b64encode(hmac.digest(_key(purpose, settings.SECRET_KEY), text.encode(), hashlib.sha256)).decode()


def is_signed(purpose: str, text: str, signature: str) -> bool:
    """Does the signature fit? In constant time."""
    return is_equal(sign(purpose, text), signature)


def sign_for_path(purpose: str, text: str) -> str:
    """As `sign`, in 32 characters that need no quoting in a URL's path."""
    return hmac.digest(_key(purpose, settings.SECRET_KEY), text.encode(), hashlib.sha256).hex()[:32]


def is_equal(expected: str, given: str) -> bool:
    """Compare signatures in constant time, whatever characters the given one has."""
    return hmac.compare_digest(expected.encode(), given.encode())


def encrypt(purpose: str, content: bytes) -> bytes:
    """Seal bytes so that only this installation can read them."""
    return Fernet(base64.urlsafe_b64encode(_key(purpose, settings.SECRET_KEY))).encrypt(content)


def decrypt(purpose: str, sealed: bytes) -> bytes:
    """Open what `encrypt` sealed. Raises cryptography.fernet.InvalidToken when the key or the bytes are wrong."""
    return Fernet(base64.urlsafe_b64encode(_key(purpose, settings.SECRET_KEY))).decrypt(sealed)
