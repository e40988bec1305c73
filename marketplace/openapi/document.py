"""Puts operations and schemas together into an OpenAPI 3.0 document, with what all operations share."""

import re
from functools import cache
from typing import Any

from django.conf import settings

from billing.usage_groups import GROUPS
from marketplace.openapi.batch_schemas import BATCH_SCHEMAS
from marketplace.openapi.billing_schemas import BILLING_SCHEMAS
from marketplace.openapi.catalog_schemas import CATALOG_SCHEMAS
from marketplace.openapi.deployment_schemas import DEPLOYMENT_SCHEMAS
from marketplace.openapi.event_schemas import EVENT_SCHEMAS
from marketplace.openapi.invoice_schemas import INVOICE_SCHEMAS
from marketplace.openapi.operation import Operation
from marketplace.openapi.operations import OPERATIONS, SEARCH
from marketplace.openapi.schemas import COUNT, LINK, SCHEMAS, TIME, ref
from runner.states import Status

_PROBLEMS = {
    "400": "The request is malformed",
    "401": "No token, or none that is known",
    "402": "The account may not spend this: its credit is used up or held, or a limit is reached",
    "403": "Visible, but not yours to change",
    "404": "Absent, or not visible to you",
    "409": "The state of the resource forbids it",
    "410": "Its data are not kept any more",
    "413": "Too large",
    "422": "Body or input break the schema",
    "429": "Too many requests: `Retry-After` says when to come again",
    "503": "What it needs does not answer: try again later",
}
_TEXT = {"type": "string"}
_DAY = {"type": "string", "format": "date", "example": "2026-01-02"}
_FILTER = {**_TEXT, "pattern": "^[^\\u0000]*$"}  # the database takes no NUL
_FULL_NAME = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"}
_PARAMETERS: dict[str, dict[str, Any]] = {
    "Prefer": {
        "in": "header",
        "schema": _TEXT,
        "description": "`wait` or `wait=n`: hold the answer up to n (60) seconds",
    },
    "Cancel-After": {
        "in": "header",
        "schema": {"type": "string", "pattern": r"^([0-9]+|([0-9]+h)?([0-9]+m)?([0-9]+s)?)$"},
        "example": "90s",
        "description": "Deadline, 5 s to 24 h: `30`, `90s`, `5m`, `1h30m`",
    },
    "Idempotency-Key": {
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]*$"},
        "description": "Extension: the same request with the same key within 24 hours creates once and is answered as "
        "at first, with `Idempotent-Replayed: true`; another request with it is a 409",
    },
    "Last-Event-ID": {"in": "header", "schema": _TEXT, "description": "The id of the event that was seen last"},
    "cursor": {"in": "query", "schema": _TEXT, "description": "From `next` or `previous` of a page"},
    "created_after": {"in": "query", "schema": TIME, "description": "Created then or later"},
    "created_before": {"in": "query", "schema": TIME, "description": "Created earlier"},
    "source": {
        "in": "query",
        "schema": {"type": "string", "enum": ["web"]},
        "description": "Only those made on the site",
    },
    "status": {
        "in": "query",
        "schema": {"type": "string", "enum": Status.values},
        "description": "Extension: only those in this state",
    },
    "model": {"in": "query", "schema": _FULL_NAME, "description": "Extension: only those of this model, `owner/name`"},
    "deployment": {
        "in": "query",
        "schema": _FULL_NAME,
        "description": "Extension: only those made through this deployment, `owner/name`",
    },
    "tag": {
        "in": "query",
        "schema": {"type": "array", "items": _FILTER},
        "description": "Extension: only those with this tag; given several times, with all of them",
    },
    "sort_by": {
        "in": "query",
        "schema": {"type": "string", "enum": ["latest_version_created_at", "model_created_at"]},
        "description": "What to sort by",
    },
    "sort_direction": {
        "in": "query",
        "schema": {"type": "string", "enum": ["desc", "asc"]},
        "description": "Newest or oldest first",
    },
    "event_cursor": {"name": "cursor", "in": "query", "schema": _TEXT, "description": "`next_cursor` of the last page"},
    "prediction": {
        "in": "query",
        "schema": _FILTER,
        "description": "Only of this prediction, training or batch, by its id",
    },
    "delivery_state": {
        "name": "state",
        "in": "query",
        "schema": {"type": "string", "enum": ["pending", "delivered", "failed", "superseded"]},
        "description": "Only those in this state",
    },
    "type": {"in": "query", "schema": _FILTER, "description": "Only these types, separated by commas"},
    "subject": {"in": "query", "schema": _FILTER, "description": "Only of this thing: `prediction/<id>`"},
    "limit": {
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        "description": "How many at most",
    },
    "search_limit": {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 50, "default": 20},
        "allowEmptyValue": False,
        "description": "How many models at most",
    },
    "query": {
        "in": "query",
        "required": True,
        "schema": {"type": "string", "pattern": r"\S"},
        "description": "What to look for",
    },
    "wait": {
        "in": "query",
        "schema": {"type": "integer", "minimum": 0, "maximum": 30, "default": 0},
        "description": "Seconds to hold the answer while there is nothing new",
    },
    "from": {"in": "query", "schema": TIME, "description": "What was used then or later"},
    "to": {"in": "query", "schema": TIME, "description": "What was used earlier"},
    "from_day": {
        "name": "from",
        "in": "query",
        "schema": _DAY,
        "description": "The first day, UTC. Without it that of the month of `to`",
    },
    "to_day": {
        "name": "to",
        "in": "query",
        "schema": _DAY,
        "description": "The last day, UTC, at most a year after the first. Without it today",
    },
    "group_by": {
        "in": "query",
        "schema": {
            "type": "string",
            "default": "model",
            "example": "model,day",
            "pattern": f"^({'|'.join(GROUPS)})(,({'|'.join(GROUPS)}))*$",
        },
        "description": f"By commas: {', '.join(GROUPS)}. Meters are never added together",
    },
    "format": {
        "in": "query",
        "schema": {"type": "string", "enum": ["json", "csv"]},
        "description": "`csv`, as with `Accept: text/csv`: a file, as long as it is",
    },
    "token": {
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2**62},
        "description": "Only what this API token used, by its id",
    },
    "after": {
        "in": "query",
        "schema": {"type": "integer", "minimum": 0, "default": 0},
        "description": "Only those after this position (`seq`)",
    },
    "owner": {"in": "query", "required": True, "schema": _TEXT, "description": "Of the file"},
    "expiry": {"in": "query", "required": True, "schema": {"type": "integer"}, "description": "Unix seconds"},
    "signature": {"in": "query", "required": True, "schema": _TEXT, "description": "Made by the platform"},
}

_LENIENT = {"query": {"allowEmptyValue": True}}  # an empty one is none
_RATE_HEADERS = ("ratelimit-remaining", "ratelimit-reset")
_HEADERS: dict[str, dict[str, Any]] = {
    "ratelimit-remaining": {"schema": COUNT, "description": "Requests that are left"},
    "ratelimit-reset": {"schema": COUNT, "description": "Seconds until all of them are there again"},
    "Retry-After": {"schema": COUNT, "description": "Seconds to wait"},
    "Location": {"schema": LINK, "description": "Of what was created"},
    "Preference-Applied": {"schema": _TEXT, "description": "`wait` where the answer was held"},
    "Idempotent-Replayed": {"schema": _TEXT, "description": "`true` where the key had been used before"},
    "ETag": {"schema": _TEXT, "description": "MD5 of the content"},
    "Content-Disposition": {"schema": _TEXT, "description": "The file's name"},
}

_SCHEMAS = {
    **SCHEMAS,
    **CATALOG_SCHEMAS,
    **BATCH_SCHEMAS,
    **DEPLOYMENT_SCHEMAS,
    **EVENT_SCHEMAS,
    **BILLING_SCHEMAS,
    **INVOICE_SCHEMAS,
}


@cache
def document() -> dict[str, Any]:
    """The whole document. Made once: it depends on nothing but the code and the public address."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/v1{operation.path}", {})[operation.method] = rendered(operation)
    paths["/v1/models"]["x-query"] = rendered(SEARCH)
    return {
        "openapi": "3.0.3",
        "info": {
            "title": f"{settings.SITE_NAME} API",
            "version": "1",
            "description": "Run models with one call. Replicate's official clients work by changing the base URL.",
        },
        "servers": [{"url": settings.PUBLIC_URL}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "headers": _HEADERS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer r8_…`"},
            },
        },
    }


def rendered(operation: Operation) -> dict[str, Any]:
    """One operation as OpenAPI says it."""
    members: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.description:
        members["description"] = operation.description
    if operation.is_extension:
        members["x-extension"] = True
    if operation.body is not None:
        content = {operation.body_type: _content(operation.body, operation.body_example)}
        members["requestBody"] = {"required": _is_required(operation.body), "content": content}
    if not operation.needs_token:
        members["security"] = []
    return members


def _is_required(body: dict[str, Any]) -> bool:
    """Whether the body must be there: one without required members may be left out."""
    schema = _SCHEMAS.get(body.get("$ref", "").rpartition("/")[2], body)
    return schema.get("type") != "object" or bool(schema.get("required"))


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = re.findall(r"{(\w+)}", operation.path)
    of_path = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in in_path]
    known = [{"name": name} | _PARAMETERS[name] for name in operation.parameters]
    return of_path + [part if part.get("required") else _LENIENT.get(part["in"], {}) | part for part in known]


def _responses(operation: Operation) -> dict[str, Any]:
    shared = _RATE_HEADERS if operation.needs_token else ()
    own = (*operation.headers, *(["Idempotent-Replayed"] if "Idempotency-Key" in operation.parameters else []))
    answers: dict[str, Any] = {}
    for status, schema in operation.answer.items():
        answers[status] = {"description": _SUCCESSES[status], **_headers(*shared, *own)}
        if schema is not None:
            answers[status]["content"] = {operation.answer_type: _content(schema, operation.answer_example)}
            if operation.csv_example:
                answers[status]["content"]["text/csv"] = _content(_TEXT, operation.csv_example)
        if operation.links:
            answers[status]["links"] = {
                link.to: {"operationId": link.to, "parameters": link.parameters} for link in operation.links
            }
    for status, also, example in operation.also:
        content = {operation.answer_type: _content(also, example)}
        answers[status] = {"description": _SUCCESSES[status], "content": content, **_headers(*shared)}
    for status in _failures(operation):
        known = () if status == "401" else shared
        answers[status] = {
            "description": _PROBLEMS[status],
            "content": {"application/problem+json": {"schema": ref("SpendProblem" if status == "402" else "Problem")}},
            **_headers(*known, *(["Retry-After"] if status == "429" else [])),
        }
    return answers


def _failures(operation: Operation) -> list[str]:
    of_tokens = ["401", "429"] if operation.needs_token else []
    of_bodies = ["400", "413"] if operation.body is not None else []
    of_cursors = ["404"] if "cursor" in operation.parameters else []
    return sorted({*operation.errors, *of_tokens, *of_bodies, *of_cursors})


def _headers(*names: str) -> dict[str, Any]:
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}} if names else {}


_SUCCESSES = {"200": "Done", "201": "Created", "202": "Still at work", "204": "Done, nothing to say"}


def _content(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}
