"""New identifiers and secrets, all from the operating system's random source.

Formats: replicate-api.md 1.5 (ids), 1.2 (tokens), 4.1 (stream tokens), 5.4 (webhook secrets).
"""

import base64
import secrets
import string

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_ALPHANUMERIC = string.ascii_letters + string.digits


def _from_alphabet(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def new_id() -> str:
    """26 characters of Crockford's base 32 from 130 random bits.  Source: replicate-api.md 1.5."""
    bits = secrets.randbits(130)
    return "".join(CROCKFORD[(bits >> shift) & 31] for shift in range(125, -1, -5))


def new_api_token() -> str:
    """`r8_` and 37 letters or digits.  Source: replicate-api.md 1.2."""
    return "r8_" + _from_alphabet(_ALPHANUMERIC, 37)


def new_stream_token() -> str:
    """52 characters, 260 bits: whoever has it may read the stream.  Source: replicate-api.md 4.1."""
    return new_id() + new_id()


def new_webhook_secret() -> str:
    """`whsec_` and 24 random bytes in standard base64, never `_` after the prefix.  Source: replicate-api.md 5.4."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def new_message_id() -> str:
    """`msg_` and 26 characters.  Source: replicate-api.md 1.5."""
    return "msg_" + new_id()
