"""Is this input right for that version? All problems, in the words that API clients know.

A `Validator` is compiled once per version (`validator_for` keeps the recently used ones) and is on the path of every
prediction: a valid input costs one call into compiled code.  Source: replicate-api.md 1.8.2, 6.3.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import jsonschema_rs

from models_catalog.schemas.documents import URI_PATTERN, Document, SchemaInvalid, input_schema, properties

_CACHED = 1024


@dataclass(frozen=True)
class InvalidField:
    """One problem. `type`: a word of the vocabulary. `field`: dotted path, "" for the request's body."""

    type: str
    field: str
    description: str


INPUT_MISSING = InvalidField("required", "", "input is required")


def in_words(problems: list[InvalidField]) -> str:
    """The `detail` of the answer: a line for each problem."""
    return "".join(f"- {one.field}: {one.description}\n" if one.field else f"- {one.description}\n" for one in problems)


class Validator:
    """The compiled check of one version's inputs.

    component: `Input` for predictions, `TrainingInput` for trainings.  Raises SchemaInvalid for a document that cannot
    be compiled.
    """

    def __init__(self, document: Document, component: str = "Input") -> None:
        schema = input_schema(document, component)
        fields = properties(document, component)
        try:
            self._compiled = jsonschema_rs.Draft7Validator(schema, validate_formats=False)
        except ValueError as error:
            raise SchemaInvalid(f"The component {component} is no valid schema.") from error
        self._nullable = frozenset(name for name, field in fields.items() if field.get("nullable") is True)
        self._known = frozenset(fields)
        by_order = sorted(fields, key=lambda name: _order(fields[name]))
        self._rank = {name: rank for rank, name in enumerate(by_order)}
        self._required = {name: rank for rank, name in enumerate(schema.get("required", []))}

    def problems(self, value: object) -> list[InvalidField]:
        """Everything wrong with an `input`, in the order of its form; nothing if the model may have it.

        A null counts as left out where the field is nullable (so a required one is missing then: the model's own
        server takes no null) and where the field is unknown; else it is a wrong type.  Unknown members are no problem.
        """
        if not isinstance(value, dict):
            return [InvalidField("invalid_type", "input", _wrong_type("object", value))]
        present = self._without_nulls(value)
        if self._compiled.is_valid(present):
            return []
        errors = sorted(self._compiled.iter_errors(present), key=self._position)
        found = dict.fromkeys(problem for error in errors for problem in _as_problems(error))
        wrong_types = {one.field for one in found if one.type == "invalid_type"}
        # Of a value with the wrong type no more is said than that.
        return [one for one in found if one.type in ("invalid_type", "required") or one.field not in wrong_types]

    def _without_nulls(self, value: dict[str, Any]) -> dict[str, Any]:
        if None not in value.values():
            return value
        leave_out = self._nullable | (value.keys() - self._known)
        return {name: item for name, item in value.items() if item is not None or name not in leave_out}

    def _position(self, error: jsonschema_rs.ValidationError) -> tuple[int, int]:
        if error.instance_path:
            return 1, self._rank.get(str(error.instance_path[0]), 0)
        if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
            return 0, self._required.get(error.kind.property, 0)
        return 0, 0


_cache: OrderedDict[tuple[str, str], Validator] = OrderedDict()
_cache_lock = Lock()


def validator_for(version_id: str, document: Document, component: str = "Input") -> Validator:
    """The version's validator, compiled at first use. A version's document never changes, so its id is the key."""
    key = (version_id, component)
    with _cache_lock:
        found = _cache.get(key)
        if found is not None:
            _cache.move_to_end(key)
            return found
    found = Validator(document, component)  # outside the lock: two threads may compile the same one, which harms nobody
    with _cache_lock:
        _cache[key] = found
        while len(_cache) > _CACHED:
            _cache.popitem(last=False)
    return found


def _order(field: dict[str, Any]) -> float:
    order = field.get("x-order")
    return order if isinstance(order, int | float) else float("inf")


def _as_problems(error: jsonschema_rs.ValidationError) -> Iterator[InvalidField]:
    path = ".".join(["input", *map(str, error.instance_path)])
    kinds = jsonschema_rs.ValidationErrorKind
    match error.kind:
        case kinds.Required(name):
            yield InvalidField("required", path, f"{name} is required")
        case kinds.AdditionalProperties(names):
            for name in names:
                text = f"Additional property {name} is not allowed"
                yield InvalidField("additional_property_not_allowed", path, text)
        case kinds.Type(types):
            expected = ", ".join(name for name in types if name != "null")
            yield InvalidField("invalid_type", path, _wrong_type(expected, error.instance))
        case kinds.Enum(options):
            allowed = ", ".join(json.dumps(option, ensure_ascii=False) for option in options)
            text = f"{path.rpartition('.')[2]} must be one of the following: {allowed}"
            yield InvalidField("enum", path, text)
        case kinds.Pattern(pattern):
            if pattern == URI_PATTERN:
                yield InvalidField("format", path, "Does not match format 'uri'")
            else:
                yield InvalidField("pattern", path, f"Does not match pattern '{pattern}'")
        case kind:
            yield _by_limit(kind, path)


_LIMITS = {
    "minimum": ("number_gte", "Must be greater than or equal to {}"),
    "maximum": ("number_lte", "Must be less than or equal to {}"),
    "exclusiveMinimum": ("number_gt", "Must be greater than {}"),
    "exclusiveMaximum": ("number_lt", "Must be less than {}"),
    "minLength": ("string_gte", "String length must be greater than or equal to {}"),
    "maxLength": ("string_lte", "String length must be less than or equal to {}"),
    "minItems": ("array_min_items", "Array must have at least {} items"),
    "maxItems": ("array_max_items", "Array must have at most {} items"),
    "anyOf": ("number_any_of", "Must validate at least one schema (anyOf)"),
    "oneOf": ("number_one_of", "Must validate one and only one schema (oneOf)"),
    "multipleOf": ("multiple_of", "Must be a multiple of {}"),
    "uniqueItems": ("unique", "array items must be unique"),
}


def _by_limit(kind: jsonschema_rs.ValidationErrorKind, path: str) -> InvalidField:
    # The library's own message is never used: it quotes the value, which may be a secret.
    word, text = _LIMITS.get(kind.name, (kind.name, f"Does not satisfy {kind.name}"))
    return InvalidField(word, path, text.format(_number(kind.value)))


def _number(limit: object) -> str:
    return str(int(limit)) if isinstance(limit, float) and limit.is_integer() else str(limit)


def _wrong_type(expected: str, value: object) -> str:
    return f"Invalid type. Expected: {expected}, given: {_type_name(value)}"


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list | tuple):
        return "array"
    return "object" if isinstance(value, dict) else "number"
