"""What models and callers send, made fit for PostgreSQL's text and jsonb."""

from typing import Any


def clean_text(text: str) -> str:
    """PostgreSQL stores no NUL characters; models print them."""
    return text.replace("\x00", "\ufffd")


def clean_json(value: Any) -> Any:
    """`clean_text` at any depth, and numbers that JSON lacks (NaN, infinities) as null."""
    match value:
        case str():
            return clean_text(value)
        case float() if value != value or value in (float("inf"), float("-inf")):
            return None
        case list():
            return [clean_json(item) for item in value]
        case dict():
            return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    return value
