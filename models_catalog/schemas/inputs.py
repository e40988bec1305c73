"""What happens to an input that was accepted: what the model gets, and what others may see of it.

Source: replicate-api.md 6.4 (secrets), cog-runtime.md 3.4, 8 (items 25, 42).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from models_catalog.schemas.documents import Document, properties

REDACTED = "[REDACTED]"


def clean_input(document: Document, value: Mapping[str, Any], component: str = "Input") -> dict[str, Any]:
    """What is handed to the model: nulls mean "left out" and members that it does not know are dropped."""
    known = properties(document, component)
    return {name: item for name, item in value.items() if item is not None and name in known}


def with_defaults(document: Document, value: Mapping[str, Any], component: str = "Input") -> dict[str, Any]:
    """What the model works with: an input, and the defaults of what it leaves out."""
    known = properties(document, component)
    defaults = {name: field["default"] for name, field in known.items() if "default" in field}
    return {**defaults, **{name: item for name, item in value.items() if item is not None}}


def redact(document: Document, value: Mapping[str, Any], component: str = "Input") -> dict[str, Any]:
    """A copy whose secret members read "[REDACTED]", whatever was given for them; what is left out or null stays so."""
    secrets = _secret_names(document, component)
    return {name: _hidden(item) if name in secrets else item for name, item in value.items()}


def secret_values(document: Document, value: Mapping[str, Any], component: str = "Input") -> list[str]:
    """The secrets in an input, longest first, for masking them in logs; each once, no empty ones."""
    found = {
        text for name in _secret_names(document, component) if name in value for text in _strings(value[name]) if text
    }
    return sorted(found, key=lambda text: (-len(text), text))


def _secret_names(document: Document, component: str) -> list[str]:
    return [
        name
        for name, field in properties(document, component).items()
        if field.get("x-cog-secret") is True
        or (isinstance(field.get("items"), dict) and field["items"].get("x-cog-secret") is True)
    ]


def _hidden(item: object) -> Any:
    if item is None:
        return None
    return [REDACTED] * len(item) if isinstance(item, list) else REDACTED


def _strings(item: object) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    elif isinstance(item, list):
        for inner in item:
            yield from _strings(inner)
