"""From a posted form to a prediction's input: values get the types that the version's schema names.

A form only has strings. What cannot be read as its type stays a string, so that the schema's own validator names the
mistake in the words that API clients get. What is left empty is left out, never null.  Source: product-ux.md 3.3.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict

from marketplace.lib.problems import InputInvalid, InvalidField
from models_catalog.schemas import Document, FieldKind, FormField, form_fields

PREFIX = "input."  # of the form's names; keeps them apart from the token and the version
MEMBER_SUFFIX = ":as"  # the form's name for which member of a union was chosen
_TEXTS = frozenset({FieldKind.TEXT, FieldKind.TEXTAREA})
_WHOLE_JSON = frozenset({FieldKind.JSON, FieldKind.UNION, FieldKind.LIST})
_LEFT_OUT: Any = object()


def input_from_form(
    schema: Document, data: QueryDict, files: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """The `input` that a form stands for.

    files: addresses of files that were uploaded with the form itself, by the form's name; they win over pasted ones.
    Raises InputInvalid for JSON that cannot be read; everything else is the validator's to judge.
    """
    found: dict[str, Any] = {}
    broken: list[InvalidField] = []
    for field in form_fields(schema):
        name = PREFIX + field.name
        texts = [*(files or {}).get(name, ()), *(text for text in data.getlist(name) if isinstance(text, str))]
        try:
            value = _value(field, texts, data.get(name + MEMBER_SUFFIX, ""))
        except json.JSONDecodeError as error:
            words = f"Not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
            broken.append(InvalidField("invalid_json", name, words))
            continue
        if value is not _LEFT_OUT:
            found[field.name] = value
    if broken:
        raise InputInvalid(broken)
    return found


def is_row_list(field: FormField) -> bool:
    """Is this list asked for row by row? Lists of lists and of objects are asked for as JSON."""
    return field.kind is FieldKind.LIST and field.item is not None and field.item.kind not in _WHOLE_JSON


def _value(field: FormField, texts: Sequence[str], member: str) -> Any:
    if is_row_list(field):
        return _list(field, texts)
    if not texts:
        return _LEFT_OUT
    if field.kind is FieldKind.FILE:
        return next((text.strip() for text in texts if text.strip()), _LEFT_OUT)
    text = texts[-1]  # a switch is a hidden "false" and then, if it is on, "true"
    if not text.strip():
        return _empty(field, text)
    if field.kind is FieldKind.UNION and field.members:
        index = int(member) if member.isdecimal() else 0
        return _typed(field.members[min(index, len(field.members) - 1)], text)
    return _typed(field, text)


def _list(field: FormField, texts: Sequence[str]) -> Any:
    assert field.item is not None
    values = [_typed(field.item, text) for text in texts if text.strip()]
    return values if values or field.required or field.default else _LEFT_OUT


def _empty(field: FormField, text: str) -> Any:
    """Cleared by the user: means an empty string only where a default would fill in for a missing one."""
    is_meant = field.kind in _TEXTS and field.default not in (None, "") and not field.nullable
    return text if is_meant else _LEFT_OUT


def _typed(field: FormField, text: str) -> Any:
    match field.kind:
        case FieldKind.TEXT | FieldKind.TEXTAREA:
            return text.replace("\r\n", "\n")
        case FieldKind.SEGMENTED | FieldKind.LISTBOX:
            return next((choice for choice in field.choices if choice_text(choice) == text), text)
        case FieldKind.SWITCH:
            return {"true": True, "false": False}.get(text, text)
        case FieldKind.INTEGER | FieldKind.NUMBER | FieldKind.SLIDER:
            return _number(text, is_integer=field.type == "integer")
        case FieldKind.FILE:
            return text.strip()
        case FieldKind.JSON | FieldKind.LIST | FieldKind.UNION:
            return json.loads(text, parse_constant=_no_constant)
    return text


def choice_text(choice: Any) -> str:
    """A choice as the form's value: itself if it is a string, else its JSON."""
    return choice if isinstance(choice, str) else json.dumps(choice)


def _number(text: str, *, is_integer: bool) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if is_integer and number.is_integer() else number


def _no_constant(name: str) -> Any:
    """NaN and infinities, which Python's reader knows and JSON does not."""
    raise json.JSONDecodeError(f"{name} is not a JSON value", name, 0)
