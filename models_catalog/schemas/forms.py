"""How a page asks for a model's inputs: one `FormField` per input, in the author's order.

Pure facts; templates and scripts decide how they look.  Source: product-ux.md 3.3, cog-runtime.md 3.3.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models_catalog.schemas.documents import Document, component, properties, resolved

_SINGLE_LINE_MOST = 120
_SEGMENTED_MOST = 5
_DEEPEST = 4  # lists in lists: below that, a JSON editor is kinder (and a schema may contain itself)


class FieldKind(StrEnum):
    TEXT = "text"
    TEXTAREA = "textarea"
    INTEGER = "integer"
    NUMBER = "number"
    SLIDER = "slider"
    SWITCH = "switch"
    SEGMENTED = "segmented"
    LISTBOX = "listbox"
    FILE = "file"
    SECRET = "secret"  # noqa: S105 - the name of a control
    LIST = "list"
    JSON = "json"
    UNION = "union"


@dataclass(frozen=True)
class FormField:
    """One input.

    type: its JSON type ("" if any); says whether a slider or choices are of integers.  default: None also if there is
    none (see has_default).  step: for sliders.  accept: as in HTML, for files and lists of them.  item: what a LIST
    repeats.  members: what a UNION may be.
    """

    name: str
    label: str
    kind: FieldKind
    type: str = ""
    description: str = ""
    required: bool = False
    nullable: bool = False
    deprecated: bool = False
    has_default: bool = False
    default: Any = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    choices: tuple[Any, ...] = ()
    accept: str | None = None
    item: "FormField | None" = None
    members: tuple["FormField", ...] = ()

    @property
    def is_seed(self) -> bool:
        """Gets dice and a lock; a slider over four billion values helps nobody."""
        return self.name == "seed" and self.type == "integer"

    @property
    def is_secret(self) -> bool:
        """Never shown again, nor any of its items: not in pages, nor in programs to copy."""
        return self.kind is FieldKind.SECRET or (self.item is not None and self.item.is_secret)


def form_fields(document: Document, name: str = "Input") -> list[FormField]:
    """The inputs of the component `name`, ordered by `x-order`, then as the document has them."""
    fields = properties(document, name)
    required = component(document, name).get("required")
    needed = set(required) if isinstance(required, list) else set()
    ordered = sorted(fields, key=lambda key: place(fields[key]))
    return [_field(document, key, fields[key], required=key in needed) for key in ordered]


def _field(document: Document, name: str, node: dict[str, Any], *, required: bool, depth: int = 0) -> FormField:
    schema = resolved(document, node)
    label = schema.get("title")
    items = schema.get("items")
    accept = _text(schema, "x-cog-accept")
    kind = _kind(name, schema) if depth < _DEEPEST else FieldKind.JSON
    item = None
    if kind is FieldKind.LIST:
        # Cog writes `accept` beside the list, not on its items, which are the files.
        inner = items if isinstance(items, dict) else {}
        item = _field(
            document, name, inner | ({"x-cog-accept": accept} if accept else {}), required=True, depth=depth + 1
        )
    members = [member for member in schema.get("anyOf") or [] if isinstance(member, dict)]
    return FormField(
        name=name,
        label=label if isinstance(label, str) and label else prettified(name),
        kind=kind,
        type=_text(schema, "type") or "",
        description=_text(schema, "description") or "",
        required=required,
        nullable=schema.get("nullable") is True,
        deprecated=schema.get("deprecated") is True,
        has_default="default" in schema,
        default=schema.get("default"),
        minimum=_number(schema, "minimum"),
        maximum=_number(schema, "maximum"),
        step=_step(schema) if kind is FieldKind.SLIDER else None,
        min_length=_length(schema, "minLength"),
        max_length=_length(schema, "maxLength"),
        pattern=_text(schema, "pattern"),
        choices=tuple(schema["enum"]) if isinstance(schema.get("enum"), list) else (),
        accept=accept,
        item=item,
        members=tuple(_field(document, name, member, required=True, depth=depth + 1) for member in members)
        if kind is FieldKind.UNION
        else (),
    )


def _kind(name: str, schema: dict[str, Any]) -> FieldKind:
    if isinstance(schema.get("anyOf"), list) and schema["anyOf"]:
        return FieldKind.UNION
    if isinstance(schema.get("enum"), list):
        return FieldKind.SEGMENTED if len(schema["enum"]) <= _SEGMENTED_MOST else FieldKind.LISTBOX
    match schema.get("type"):
        case "string":
            return _kind_of_string(schema)
        case "integer" | "number" as number:
            bounded = _number(schema, "minimum") is not None and _number(schema, "maximum") is not None
            if bounded and not (name == "seed" and number == "integer"):
                return FieldKind.SLIDER
            return FieldKind.INTEGER if number == "integer" else FieldKind.NUMBER
        case "boolean":
            return FieldKind.SWITCH
        case "array":
            return FieldKind.LIST
    return FieldKind.JSON


def _kind_of_string(schema: dict[str, Any]) -> FieldKind:
    if schema.get("x-cog-secret") is True or schema.get("format") == "password":
        return FieldKind.SECRET
    if schema.get("format") == "uri":
        return FieldKind.FILE
    longest = _length(schema, "maxLength")
    return FieldKind.TEXT if longest is not None and longest <= _SINGLE_LINE_MOST else FieldKind.TEXTAREA


def _step(schema: dict[str, Any]) -> int | float:
    """1 for integers; for numbers the power of ten that cuts the range into a hundred steps or a few more."""
    span = schema["maximum"] - schema["minimum"]
    if schema.get("type") == "integer" or span <= 0:
        return 1
    exponent = math.floor(math.log10(span / 100))
    return round(10.0**exponent, -exponent) if exponent < 0 else 10**exponent


def prettified(name: str) -> str:
    """`api_key` → `Api Key`, as Cog makes titles.  Source: cog-runtime.md 3.3."""
    return " ".join(part[:1].upper() + part[1:] for part in name.split("_") if part) or name


def place(field: dict[str, Any]) -> float:
    """Where the author wants the input: the lower, the earlier."""
    order = _number(field, "x-order")
    return float("inf") if order is None else order


def _text(schema: dict[str, Any], key: str) -> str | None:
    value = schema.get(key)
    return value if isinstance(value, str) else None


def _number(schema: dict[str, Any], key: str) -> int | float | None:
    value = schema.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _length(schema: dict[str, Any], key: str) -> int | None:
    value = schema.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
