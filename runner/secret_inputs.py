"""Secret members of an input: sealed while the prediction waits and runs, never readable in a row.

Source: replicate-api.md 6.4; design.md, "Trust".
"""

from typing import Any

import orjson

from marketplace.lib import signing

_PURPOSE = "secret inputs"


def seal(secrets: dict[str, Any]) -> bytes | None:
    """Encrypt the secret members; None where there are none."""
    return signing.encrypt(_PURPOSE, orjson.dumps(secrets)) if secrets else None


def unseal(sealed: bytes | memoryview | None) -> dict[str, Any]:
    """The secret members by name."""
    if not sealed:
        return {}
    opened: dict[str, Any] = orjson.loads(signing.decrypt(_PURPOSE, bytes(sealed)))
    return opened


def mask(text: str, secret_values: list[str]) -> str:
    """The text with each secret value replaced."""
    for value in secret_values:
        if value:
            text = text.replace(value, "[REDACTED]")
    return text
