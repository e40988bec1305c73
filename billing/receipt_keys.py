"""The Ed25519 key that signs run receipts, and the public keys by which anybody checks them.

The key is RECEIPT_SIGNING_KEY, or one derived from SECRET_KEY: every process of the installation has the same one.
Whoever changes it names the public key of before in RECEIPT_RETIRED_KEYS, so that old receipts can still be checked.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from marketplace.lib import signing


@dataclass(frozen=True, slots=True)
class PublicKey:
    """raw: 32 bytes. is_current: it signs now."""

    raw: bytes
    is_current: bool

    @property
    def id(self) -> str:
        """What receipts call it: 16 hex digits of its SHA-256."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def text(self) -> str:
        """In standard base64."""
        return base64.b64encode(self.raw).decode()


def sign(content: bytes) -> tuple[str, str]:
    """The current key's id, and its signature over the content in standard base64."""
    private, public = _current(_seed())
    return public.id, base64.b64encode(private.sign(content)).decode()


def public_keys() -> list[PublicKey]:
    """The current one, then those that signed before it."""
    _, current = _current(_seed())
    retired = [PublicKey(base64.b64decode(text), is_current=False) for text in settings.RECEIPT_RETIRED_KEYS]
    return [current, *(key for key in retired if key.raw != current.raw)]


def _seed() -> bytes:
    return base64.b64decode(settings.RECEIPT_SIGNING_KEY) or signing.derived("run receipts")


@lru_cache(maxsize=4)
def _current(seed: bytes) -> tuple[Ed25519PrivateKey, PublicKey]:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    return private, PublicKey(private.public_key().public_bytes_raw(), is_current=True)
