"""The members of a deployment as callers give them. All mistakes are found at once; nothing here touches the database.

Source: replicate-api.md 1.5, 1.8.1, 2.9.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.lib.problems import FieldError, ValidationFailed

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]*")
NAME_LENGTH = 100
MOST_MINIMUM = 5  # instances
MOST_MAXIMUM = 20
_REQUIRED = "This field is required."
_TEXTS = ("name", "model", "version", "hardware")
_NUMBERS = {"min_instances": MOST_MINIMUM, "max_instances": MOST_MAXIMUM}


@dataclass(frozen=True, slots=True)
class NewDeployment:
    """What a caller wants to deploy. version: an id, or `owner/name:id`."""

    name: str
    model: str  # `owner/name`
    version: str
    hardware: str
    min_instances: int
    max_instances: int


@dataclass(frozen=True, slots=True)
class ReleaseChanges:
    """What a caller wants changed; None stays as it is. `model` is only compared."""

    model: str | None = None
    version: str | None = None
    hardware: str | None = None
    min_instances: int | None = None
    max_instances: int | None = None


def parse_new_deployment(document: Mapping[str, Any], *, hardware_skus: Collection[str]) -> NewDeployment:
    """From a JSON object; unknown members are ignored, null is nothing. Raises ValidationFailed with every mistake."""
    values, errors = _read(document, (*_TEXTS, *_NUMBERS), hardware_skus)
    wrong = {error.pointer for error in errors}
    errors += [
        FieldError(f"/{name}", _REQUIRED)
        for name in (*_TEXTS, *_NUMBERS)
        if name not in values and f"/{name}" not in wrong
    ]
    if not errors:
        errors = bound_mistakes(values["min_instances"], values["max_instances"])
    if errors:
        raise ValidationFailed(errors)
    return NewDeployment(**values)


def parse_changes(document: Mapping[str, Any], *, hardware_skus: Collection[str]) -> ReleaseChanges:
    """From the body of a PATCH, which may be empty. Raises ValidationFailed with every mistake."""
    values, errors = _read(document, ("model", "version", "hardware", *_NUMBERS), hardware_skus)
    if errors:
        raise ValidationFailed(errors)
    return ReleaseChanges(**values)


def parse_release_number(document: Mapping[str, Any]) -> int | None:
    """Which release to go back to: `{"release": n}`, or None. Raises ValidationFailed."""
    number = document.get("release")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
        raise ValidationFailed([FieldError("/release", "Expected the number of a release.")])
    return number


def bound_mistakes(minimum: int, maximum: int) -> list[FieldError]:
    """What is wrong with the two together."""
    if maximum >= minimum:
        return []
    return [FieldError("/max_instances", f"Must be at least min_instances, which is {minimum}.")]


def _read(
    document: Mapping[str, Any], names: Collection[str], hardware_skus: Collection[str]
) -> tuple[dict[str, Any], list[FieldError]]:
    """The members that are given and right, and what is wrong with the others."""
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name in names:
        value = document.get(name)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            continue
        mistake = _mistake(name, value, hardware_skus)
        if mistake:
            errors.append(FieldError(f"/{name}", mistake))
        else:
            values[name] = value
    return values, errors


def _mistake(name: str, value: Any, hardware_skus: Collection[str]) -> str:
    if name in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int):
            return "Expected an integer."
        return "" if 0 <= value <= _NUMBERS[name] else f"Must be from 0 to {_NUMBERS[name]}."
    if not isinstance(value, str):
        return "Expected a string."
    if "\x00" in value:
        return "Must not hold NUL characters."
    if name == "name" and (len(value) > NAME_LENGTH or not NAME_PATTERN.fullmatch(value)):
        return f"Use lower-case letters, digits and . _ - (at most {NAME_LENGTH}), beginning with a letter or digit."
    if name == "hardware" and value not in hardware_skus:
        return f"{value} is not a valid hardware SKU. Your options are: {', '.join(hardware_skus)}."
    return ""
