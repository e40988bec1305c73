"""What a multipart upload says, in the three shapes that clients send metadata.  Source: replicate-api.md 2.11.

A text field with JSON, a file part with JSON, or bracket fields such as `metadata[a][b][]`.
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from marketplace.lib.problems import FieldError, ValidationFailed
from runner.storable import clean_json

_LONGEST_NAME_BYTES = 255
_MOST_METADATA_BYTES = 64 * 1024
_BRACKETS = re.compile(r"metadata((?:\[[^\[\]]*\])+)")


def content_of(parts: "MultiValueDict[str, UploadedFile[Any]]") -> "UploadedFile[Any]":
    """The part with the bytes, which may be empty. Raises ValidationFailed."""
    content = parts.get("content")
    if content is None:
        raise ValidationFailed([FieldError("/content", "This field is required.")])
    return content


def name_and_type(fields: Mapping[str, str], content: "UploadedFile[Any]") -> tuple[str, str]:
    """The fields `filename` and `type` win over what the part says of itself. Raises ValidationFailed."""
    name = fields.get("filename") or content.name or "file"
    if len(name.encode()) > _LONGEST_NAME_BYTES:
        raise ValidationFailed([FieldError("/filename", f"Must be at most {_LONGEST_NAME_BYTES} bytes long.")])
    return name, fields.get("type") or content.content_type or "application/octet-stream"


def metadata_of(fields: QueryDict, parts: "MultiValueDict[str, UploadedFile[Any]]") -> dict[str, Any]:
    """The metadata, {} without any. Raises ValidationFailed."""
    if part := parts.get("metadata"):
        return _parsed(part.read(_MOST_METADATA_BYTES + 1))
    if (text := fields.get("metadata")) is not None:
        return _parsed(str(text).encode())
    found: dict[str, Any] = {}
    for name, values in fields.lists():
        if match := _BRACKETS.fullmatch(name):
            _put(found, re.findall(r"\[([^\[\]]*)\]", match[1]), values)
    return clean_json(found)  # type: ignore[no-any-return]


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        if len(text) > _MOST_METADATA_BYTES:
            raise ValueError
        value = orjson.loads(text or b"{}")
    except ValueError as error:
        raise ValidationFailed([FieldError("/metadata", "Must be a JSON object of at most 64 KiB.")]) from error
    if not isinstance(value, dict):
        raise ValidationFailed([FieldError("/metadata", "Must be a JSON object.")])
    return clean_json(value)  # type: ignore[no-any-return]


def _put(target: dict[str, Any], keys: list[str], values: list[Any]) -> None:
    """`[a][b]` is target["a"]["b"]; a last empty pair of brackets makes a list."""
    is_list = keys[-1] == "" and len(keys) > 1
    path = keys[:-1] if is_list else keys
    for key in path[:-1]:
        inner = target.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ValidationFailed([FieldError("/metadata", f"{key} is given both as a value and as an object.")])
        target = inner
    target[path[-1]] = values if is_list else values[-1]
