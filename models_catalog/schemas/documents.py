"""Schema documents: finding a component, following references, and turning OpenAPI 3.0 into JSON Schema.

A document comes out of a build that ran a stranger's code, so its size when references are followed is bounded.
Source: replicate-api.md 6.1, cog-runtime.md 3.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

_TYPES = ("string", "integer", "number", "boolean", "array", "object")

Document = Mapping[str, Any]  # a JSON object: this package is the edge at which its parts get types

# Not `format: uri`, which would accept ftp: and file: too.  Source: cog-runtime.md 8 (item 25).
URI_PATTERN = "^([hH][tT][tT][pP][sS]?|[dD][aA][tT][aA]):"

_PREFIX = "#/components/schemas/"
_MOST_NODES = 20_000
_DEEPEST = 60
_MOST_SHOWN = 1_000
_DEEPEST_SHOWN = 12
_COPIED = (
    "enum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties", "required",
)  # fmt: skip


class SchemaInvalid(ValueError):
    """A schema document that cannot be used; the message says which part."""


def check_document(document: object) -> None:
    """Is this a document that a version may have? Raises SchemaInvalid.

    Needed: OpenAPI 3, `Input` and `Output` or `TrainingInput` and `TrainingOutput` (or all four), inputs that are
    objects, references that lead somewhere.  Source: replicate-api.md 6.1.
    """
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
        raise SchemaInvalid("The schema is not an OpenAPI 3 document.")
    schemas = _schemas(document)
    pairs = [("Input", "Output"), ("TrainingInput", "TrainingOutput")]
    for one, other in pairs:
        if (one in schemas) != (other in schemas):
            raise SchemaInvalid(f"The schema has only one of the components {one} and {other}.")
    if not any(one in schemas for one, _ in pairs):
        raise SchemaInvalid("The schema has no component Input.")
    for reference in _references(document, depth=0):
        _target(document, reference)
    for name in ("Input", "TrainingInput"):
        if name in schemas:
            input_schema(document, name)


def component(document: Document, name: str) -> dict[str, Any]:
    """The component's schema, or an empty one if there is none."""
    found = _schemas(document).get(name)
    return found if isinstance(found, dict) else {}


def properties(document: Document, name: str = "Input") -> dict[str, dict[str, Any]]:
    """The component's properties as they stand in the document; whatever is no object is left out."""
    found = component(document, name).get("properties")
    return {key: value for key, value in found.items() if isinstance(value, dict)} if isinstance(found, dict) else {}


def resolved(document: Document, node: dict[str, Any]) -> dict[str, Any]:
    """The node with its reference, or its single `allOf` member (how Cog writes choices), under its own keys."""
    inner: object = None
    if isinstance(node.get("$ref"), str):
        inner = _target(document, node["$ref"])
    elif isinstance(node.get("allOf"), list) and len(node["allOf"]) == 1:
        inner = node["allOf"][0]
        if isinstance(inner, dict) and isinstance(inner.get("$ref"), str):
            inner = _target(document, inner["$ref"])
    if not isinstance(inner, dict):
        return node
    beneath = {key: value for key, value in inner.items() if key not in ("title", "description")}
    return beneath | {key: value for key, value in node.items() if key not in ("$ref", "allOf")}


def expanded(document: Document, node: dict[str, Any]) -> dict[str, Any]:
    """The node with its references followed, as far as they lead within bounds; what is beyond stays as it is.

    For showing and comparing: nothing is raised.
    """
    whole = _expanded(document, node, depth=0, left=[_MOST_SHOWN])
    return whole if isinstance(whole, dict) else node


def _expanded(document: Document, node: Any, *, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if depth > _DEEPEST_SHOWN or left[0] < 0:
        return node
    if isinstance(node, list):
        return [_expanded(document, item, depth=depth + 1, left=left) for item in node]
    if not isinstance(node, dict):
        return node
    try:
        whole = resolved(document, node)
    except SchemaInvalid:
        return node
    return {
        key: value if key in ("default", "enum", "example") else _expanded(document, value, depth=depth + 1, left=left)
        for key, value in whole.items()
    }


def input_schema(document: Document, name: str) -> dict[str, Any]:
    """The component as plain JSON Schema (draft 7) with OpenAPI 3.0's meaning, references followed.

    `nullable` of the top-level properties is left to the caller, unknown members are allowed, `default` is not
    looked at.  Raises SchemaInvalid.  Source: replicate-api.md 6.3.
    """
    schema = component(document, name)
    if schema.get("type", "object") != "object" or not isinstance(schema.get("properties", {}), dict):
        raise SchemaInvalid(f"The component {name} is not an object.")
    fields = {key: value | {"nullable": False} for key, value in properties(document, name).items()}
    converted = _Converter(document).node(schema | {"nullable": False, "properties": fields}, depth=0)
    converted.pop("additionalProperties", None)
    return converted


def _schemas(document: Document) -> dict[str, Any]:
    components = document.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    return schemas if isinstance(schemas, dict) else {}


def _target(document: Document, reference: str) -> dict[str, Any]:
    schemas = _schemas(document)
    name = reference.removeprefix(_PREFIX)
    if not reference.startswith(_PREFIX) or not isinstance(schemas.get(name), dict):
        raise SchemaInvalid(f"The schema refers to {reference[:100]!r}, which it does not have.")
    return schemas[name]  # type: ignore[no-any-return]  # just looked at


def _references(node: object, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise SchemaInvalid("The schema is nested too deeply.")
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value, depth + 1)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value, depth + 1)


class _Converter:
    """One walk from OpenAPI 3.0 to JSON Schema draft 7; counts its steps, since references can double at each."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0
        self._following: list[str] = []

    def node(self, node: object, depth: int) -> dict[str, Any]:
        self._nodes += 1
        if self._nodes > _MOST_NODES or depth > _DEEPEST:
            raise SchemaInvalid("The schema is too large when its references are followed.")
        if not isinstance(node, dict):
            return {}
        if isinstance(node.get("$ref"), str):
            return self._reference(node["$ref"], depth)
        converted = {key: node[key] for key in _COPIED if key in node}
        if node.get("type") in _TYPES:
            converted["type"] = node["type"]
        converted |= _bounds(node) | _pattern(node)
        self._children(node, converted, depth)
        return _nullable(converted) if node.get("nullable") is True else converted

    def _reference(self, reference: str, depth: int) -> dict[str, Any]:
        if reference in self._following:
            return {}  # a schema inside itself: whatever is that deep is left to the model
        self._following.append(reference)
        converted = self.node(_target(self._document, reference), depth + 1)
        self._following.pop()
        return converted

    def _children(self, node: dict[str, Any], converted: dict[str, Any], depth: int) -> None:
        if isinstance(node.get("properties"), dict):
            converted["properties"] = {key: self.node(value, depth + 1) for key, value in node["properties"].items()}
        for key in ("items", "not"):
            if isinstance(node.get(key), dict):
                converted[key] = self.node(node[key], depth + 1)
        if "additionalProperties" in node:
            given = node["additionalProperties"]
            converted.setdefault("properties", {})  # without it the validator does not name the surplus member
            converted["additionalProperties"] = given if isinstance(given, bool) else self.node(given, depth + 1)
        for key in ("allOf", "anyOf", "oneOf"):
            if isinstance(node.get(key), list) and node[key]:
                converted[key] = converted.get(key, []) + [self.node(value, depth + 1) for value in node[key]]


def _bounds(node: dict[str, Any]) -> dict[str, Any]:
    # In OpenAPI 3.0 "exclusive" is a yes or no beside the bound, in JSON Schema it is the bound itself.
    bounds = {}
    for plain, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(node.get(plain), int | float):
            bounds[exclusive if node.get(exclusive) is True else plain] = node[plain]
        elif isinstance(node.get(exclusive), int | float) and not isinstance(node[exclusive], bool):
            bounds[exclusive] = node[exclusive]  # some tools write the newer form
    return bounds


def _pattern(node: dict[str, Any]) -> dict[str, Any]:
    patterns = []
    if isinstance(node.get("pattern"), str) and _compiles(node["pattern"]):
        patterns.append({"pattern": node["pattern"]})
    if node.get("format") == "uri":
        patterns.append({"pattern": URI_PATTERN})
    return patterns[0] if len(patterns) == 1 else {"allOf": patterns} if patterns else {}


def _compiles(pattern: str) -> bool:
    # A pattern that only Python's engine knows (`\Z`, `(?P<x>`) cannot be enforced before the model runs, so it isn't.
    try:
        jsonschema_rs.Draft7Validator({"pattern": pattern})
    except ValueError:
        return False
    return True


def _nullable(converted: dict[str, Any]) -> dict[str, Any]:
    if "type" not in converted:
        return {"anyOf": [{"type": "null"}, converted]} if converted else {}
    converted["type"] = [converted["type"], "null"]
    if "enum" in converted:
        converted["enum"] = [*converted["enum"], None]
    return converted
