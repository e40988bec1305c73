"""The API's document, and the page that shows it: rendered here, so that it needs no script and no network."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketplace.lib.endpoints import json_answer
from marketplace.openapi import document
from marketplace.openapi.operation import EXTENSION

_METHODS = ("get", "post", "put", "patch", "delete", "x-query")


@dataclass(frozen=True, slots=True)
class Member:
    """One line of a table: a member of a body or a parameter."""

    name: str
    kind: str
    is_required: bool
    description: str
    is_extension: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One operation as the page shows it."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    tag: str
    needs_token: bool
    is_extension: bool
    parameters: list[Member]
    members: list[Member]
    answers: list[tuple[str, str]]
    example: str
    answer_example: str


async def openapi_document(request: HttpRequest) -> HttpResponse:
    """`GET /v1/openapi.json`."""
    return json_answer(document())


@require_safe
def api_reference(request: HttpRequest) -> HttpResponse:
    """`/docs/api`."""
    groups: dict[str, list[Shown]] = {}
    for operation in shown_operations():
        groups.setdefault(operation.tag, []).append(operation)
    return render(request, "marketplace/api_reference.html", {"groups": groups, "document": document()})


def shown_operations() -> Iterator[Shown]:
    """All operations, in the document's order."""
    for path, item in document()["paths"].items():
        for method in _METHODS:
            if method in item:
                yield _shown(method.removeprefix("x-").upper(), path, item[method])


def _shown(method: str, path: str, operation: dict[str, Any]) -> Shown:
    _, content = _body(operation)
    answers = operation["responses"]
    first = next(iter(next(iter(answers.values())).get("content", {"": {}}).values()))
    return Shown(
        anchor=operation["operationId"].replace(".", "-"),
        method=method,
        path=path,
        summary=operation["summary"],
        description=_described(operation),
        tag=operation["tags"][0],
        needs_token="security" not in operation,
        is_extension="x-extension" in operation,
        parameters=[
            _member(p["name"], f"{p['in']}, {_kind(p['schema'])}", p.get("required", False), p)
            for p in operation["parameters"]
        ],
        members=_members(content.get("schema", {})),
        answers=[(status, answer["description"]) for status, answer in answers.items()],
        example=_call(method, path, operation),
        answer_example=_pretty(first["example"]) if "example" in first else "",
    )


def _body(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Media type and content of an operation's body."""
    content: dict[str, dict[str, Any]] = operation.get("requestBody", {}).get("content", {"": {}})
    return next(iter(content.items()))


def _described(part: dict[str, Any]) -> str:
    """The description as a sentence. That it is an extension is shown by a mark."""
    text = str(part.get("description", ""))
    words = text.removeprefix(EXTENSION).strip()
    return words[:1].upper() + words[1:] if words != text else text


def _member(name: str, kind: str, is_required: bool, part: dict[str, Any]) -> Member:
    is_extension = str(part.get("description", "")).startswith(EXTENSION)
    return Member(name, kind, is_required, _described(part), is_extension)


def _members(schema: dict[str, Any]) -> list[Member]:
    schema = _resolved(schema)
    required = schema.get("required", [])
    return [_member(name, _kind(part), name in required, part) for name, part in schema.get("properties", {}).items()]


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document()["components"]["schemas"][name] if name else schema


def _kind(schema: dict[str, Any]) -> str:
    """A schema's type in a few words."""
    schema = _resolved(schema)
    kind = str(schema.get("type", "any"))
    if kind == "array":
        kind = f"list of {_kind(schema['items'])}"
    if options := schema.get("enum"):
        kind = " or ".join(options)
    return f"{kind} or null" if schema.get("nullable") else kind


def _call(method: str, path: str, operation: dict[str, Any]) -> str:
    """The call as a command line."""
    url = document()["servers"][0]["url"] + path
    lines = ["curl -s" + ("" if method == "GET" else f" -X {method}") + f" {url}"]
    if "security" not in operation:
        lines.append('  -H "Authorization: Bearer $TOKEN"')
    media_type, content = _body(operation)
    example = content.get("example")
    if media_type == "multipart/form-data":
        lines.append("  -F content=@hello.txt")
    elif content.get("schema", {}).get("format") == "binary":
        lines.append("  --data-binary @model.tar.gz")
    elif example is not None:
        lines.append(f"  -d '{example if isinstance(example, str) else orjson.dumps(example).decode()}'")
    return " \\\n".join(lines)


def _pretty(example: Any) -> str:
    return example if isinstance(example, str) else orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
