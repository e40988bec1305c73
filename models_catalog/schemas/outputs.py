"""What a model gives, by its schema: which renderer fits, whether parts come before the end.

Source: replicate-api.md 6.2, cog-runtime.md 3.3 (outputs), 3.4.
"""

from enum import StrEnum

from models_catalog.schemas.documents import Document, component, resolved


class OutputKind(StrEnum):
    """How an output is shown. ITERATOR: values that come one by one; LIST: values that come at the end."""

    TEXT = "text"
    CONCATENATED = "concatenated"
    ITERATOR = "iterator"
    FILE_ITERATOR = "file_iterator"
    FILE = "file"
    FILES = "files"
    LIST = "list"
    VALUE = "value"  # a number or a yes/no
    JSON = "json"


def output_kind(document: Document, name: str = "Output") -> OutputKind:
    """The kind of the component `name`; JSON for everything that has no better renderer."""
    if is_concatenated(document, name):
        return OutputKind.CONCATENATED
    if is_iterator(document, name):
        return OutputKind.FILE_ITERATOR if is_file_iterator(document, name) else OutputKind.ITERATOR
    output = _output(document, name)
    match output.get("type"):
        case "string":
            return OutputKind.FILE if output.get("format") == "uri" else OutputKind.TEXT
        case "array":
            return OutputKind.FILES if _has_file_items(document, name) else OutputKind.LIST
        case "integer" | "number" | "boolean":
            return OutputKind.VALUE
    return OutputKind.JSON


def is_list(document: Document, name: str = "Output") -> bool:
    """Is the output always a list? Only then may partial outputs be shown.  Source: cog-runtime.md 8 (item 34)."""
    return _output(document, name).get("type") == "array"


def is_iterator(document: Document, name: str = "Output") -> bool:
    return is_list(document, name) and _output(document, name).get("x-cog-array-type") == "iterator"


def is_concatenated(document: Document, name: str = "Output") -> bool:
    return is_iterator(document, name) and _output(document, name).get("x-cog-array-display") == "concatenate"


def is_file_iterator(document: Document, name: str = "Output") -> bool:
    return is_iterator(document, name) and _has_file_items(document, name)


def is_streaming(document: Document) -> bool:
    """May the model's server be read as server-sent events?  Source: cog-runtime.md 3.4."""
    node: object = document
    for key in ("paths", "/predictions", "post", "x-cog-streaming"):
        node = node.get(key) if isinstance(node, dict) else None
    return node is True


def _output(document: Document, name: str) -> dict[str, object]:
    return resolved(document, component(document, name))


def _has_file_items(document: Document, name: str) -> bool:
    items = _output(document, name).get("items")
    return isinstance(items, dict) and resolved(document, items).get("format") == "uri"
