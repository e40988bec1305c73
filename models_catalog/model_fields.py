"""The rules for a model's own members: name, visibility, hardware, links. All mistakes are found at once.

`NewModel` is what a caller asks for; `parse_new_model` reads one from JSON. Nothing here touches the database.
Source: replicate-api.md 2.5 (POST and PATCH /v1/models), 1.8.1.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from marketplace.lib.problems import FieldError, ValidationFailed
from models_catalog.models import Model

NAME_PATTERN = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
NAME_LENGTH = 100
URL_LENGTH = 500
DESCRIPTION_LENGTH = 1000
README_LENGTH = 200_000
REQUIRED = "This field is required."
LINKS = ("github_url", "paper_url", "license_url", "cover_image_url")
_REQUIRED_MEMBERS = ("owner", "name", "visibility", "hardware")
_is_url = URLValidator(schemes=["http", "https"])


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model that somebody wants to create. Optional members are "" where there is nothing."""

    owner: str
    name: str
    visibility: str
    hardware: str
    description: str = ""
    github_url: str = ""
    paper_url: str = ""
    license_url: str = ""
    cover_image_url: str = ""


def parse_new_model(document: Mapping[str, Any], *, hardware_skus: Collection[str]) -> NewModel:
    """From a JSON object; unknown members are ignored, null is nothing. Raises ValidationFailed with every mistake."""
    values: dict[str, str] = {}
    errors: list[FieldError] = []
    for field in fields(NewModel):
        value = document.get(field.name)
        errors += _text_mistakes(field.name, value)
        values[field.name] = value.strip() if isinstance(value, str) else ""
    new = NewModel(**values)
    wrong = {error.pointer for error in errors}
    errors += [error for error in mistakes(new, hardware_skus=hardware_skus) if error.pointer not in wrong]
    if errors:
        raise ValidationFailed(errors)
    return new


def mistakes(new: NewModel, *, hardware_skus: Collection[str]) -> list[FieldError]:
    """What is wrong with the members, one entry each."""
    errors = [FieldError(f"/{name}", REQUIRED) for name in _REQUIRED_MEMBERS if not getattr(new, name)]
    if new.name and (len(new.name) > NAME_LENGTH or not NAME_PATTERN.fullmatch(new.name)):
        errors.append(
            FieldError(
                "/name", f"Use lower-case letters and digits, in parts joined by . _ or - (at most {NAME_LENGTH})."
            )
        )
    if new.visibility and new.visibility not in Model.Visibility.values:
        errors.append(FieldError("/visibility", f"{new.visibility} is not valid. Your options are: public, private."))
    if new.hardware and new.hardware not in hardware_skus:
        options = ", ".join(hardware_skus)
        errors.append(
            FieldError("/hardware", f"{new.hardware} is not a valid hardware SKU. Your options are: {options}.")
        )
    if len(new.description) > DESCRIPTION_LENGTH:
        errors.append(FieldError("/description", f"At most {DESCRIPTION_LENGTH} characters."))
    return errors + [error for name in LINKS if (error := link_mistake(name, getattr(new, name)))]


def parse_changes(document: Mapping[str, Any]) -> dict[str, str]:
    """The members that PATCH may change, null as "". Raises ValidationFailed with every mistake."""
    changes: dict[str, str] = {}
    errors: list[FieldError] = []
    for name in ("description", "readme", "github_url", "paper_url", "weights_url", "license_url"):
        if name not in document:
            continue
        value = document[name]
        if wrong := _text_mistakes(name, value):
            errors += wrong
            continue
        changes[name] = value or ""
        if name.endswith("_url"):
            changes[name] = changes[name].strip()
            errors += [error for error in [link_mistake(name, changes[name])] if error]
        elif len(changes[name]) > (most := README_LENGTH if name == "readme" else DESCRIPTION_LENGTH):
            errors.append(FieldError(f"/{name}", f"At most {most} characters."))
    if errors:
        raise ValidationFailed(errors)
    return changes


def _text_mistakes(name: str, value: object) -> list[FieldError]:
    """What is wrong with a member that is to be a text or null; the database takes no U+0000."""
    if value is not None and not isinstance(value, str):
        return [FieldError(f"/{name}", "Expected a string.")]
    if value is not None and "\0" in value:
        return [FieldError(f"/{name}", "Must not contain the character U+0000.")]
    return []


def link_mistake(name: str, url: str) -> FieldError | None:
    """What is wrong with a link; None for a good or empty one."""
    if not url:
        return None
    try:
        _is_url(url)
    except ValidationError:
        return FieldError(f"/{name}", "Expected an address that starts with http:// or https://.")
    return FieldError(f"/{name}", f"At most {URL_LENGTH} characters.") if len(url) > URL_LENGTH else None
