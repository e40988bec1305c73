"""The words for types of JSON values in messages about inputs.  Source: replicate-api.md 1.8.2."""

from typing import Any

_NAMES = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def wrong_type(expected: str, value: Any) -> str:
    """The description of an `invalid_type` problem."""
    given = next((word for kind, word in _NAMES if isinstance(value, kind)), "null")
    return f"Invalid type. Expected: {expected}, given: {given}"
