"""What schemathesis needs to know of the site it calls: things that exist, and addresses that are safe to give.

The facts come as JSON in FUZZ_FACTS, see `site.facts`.
"""

import json
import os
import secrets
from typing import Any

import schemathesis
from hypothesis import strategies as st

FACTS: dict[str, Any] = json.loads(os.environ["FUZZ_FACTS"])
# Nothing listens there: a webhook or an input may name it, and no machine but this one is called.
_SAFE = "http://127.0.0.1:9/"

schemathesis.openapi.format("uri", st.text(alphabet="abcdef0123456789/._-~", max_size=20).map(_SAFE.__add__))

schemathesis.openapi.format("tag", st.text(alphabet=st.characters(categories=["L", "N", "P"]), min_size=1, max_size=64))


@schemathesis.serializer("application/gzip")
def archive(context: Any, value: Any) -> bytes:
    """The body as it is; schemathesis knows no such media type."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Narrow what the document leaves open to what this site has, so that not all calls end in a 404."""
    _remove_patterns_of_addresses(raw_schema)
    for path, item in raw_schema["paths"].items():
        for operation in item.values():
            for parameter in operation["parameters"]:
                _narrow_parameter(path, parameter)
    schemas = raw_schema["components"]["schemas"]
    for name in ("NewPrediction", "NewOfficialPrediction", "PredictionChanges", "Rerun", "NewBatch"):
        schemas[name]["properties"]["tags"]["items"] = {"type": "string", "format": "tag", "maxLength": 64}
    for name in ("NewPrediction", "NewOfficialPrediction", "NewQuote"):
        schemas[name]["properties"]["input"] = _ECHO_INPUT
    for name in ("NewPrediction", "NewOfficialPrediction", "Rerun"):
        schemas[name]["properties"]["quote"]["maxLength"] = 0  # "" is none; a quote fits one input alone
    schemas["NewQuote"]["properties"]["version"] = {"type": "string", "enum": FACTS["versions"]}
    schemas["NewBatch"]["properties"]["version"] = {"type": "string", "enum": FACTS["versions"]}
    schemas["NewBatch"]["properties"]["inputs"] |= {"items": _ECHO_INPUT, "maxItems": 20}
    schemas["NewPrediction"]["properties"]["version"] = {"type": "string", "enum": FACTS["versions"]}
    for properties in (schemas["NewDeployment"]["properties"], schemas["DeploymentChanges"]["properties"]):
        properties["model"] = {"type": "string", "enum": ["nina/echo"]}
        properties["version"] = {"type": "string", "enum": FACTS["versions"][:2]}
        properties["hardware"] = {"type": "string", "enum": FACTS["hardware"]}
    schemas["NewModel"]["properties"]["hardware"] = {"type": "string", "enum": FACTS["hardware"]}
    schemas["NewModel"]["properties"]["owner"] = {"type": "string", "enum": [FACTS["caller"]]}
    for path in ("/v1/streams/{token}", "/v1/files/stream/{token}"):
        answer = raw_schema["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"]
        answer["schema"] = _EVENT  # schemathesis holds each event against it
        del answer["example"]
    raw_schema["paths"]["/v1/predictions"]["post"]["requestBody"]["content"]["application/json"]["example"] = {
        "version": FACTS["versions"][0],
        "input": {"text": "hi there"},
    }
    raw_schema["paths"]["/v1/batches"]["post"]["requestBody"]["content"]["application/json"]["example"] = {
        "version": FACTS["versions"][0],
        "inputs": [{"text": "one"}, {"text": "two"}],
    }
    raw_schema["paths"]["/v1/deployments"]["post"]["requestBody"]["content"]["application/json"]["example"] = {
        "name": "shout-prod",
        "model": "nina/echo",
        "version": FACTS["versions"][0],
        "hardware": FACTS["hardware"][0],
        "min_instances": 0,
        "max_instances": 1,
    }


_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": r"^\d+:\d+$"},
        "event": {"type": "string", "enum": ["output", "error", "done"]},
        "data": {"type": "string"},
    },
    "required": ["id", "event", "data"],
    "additionalProperties": False,
}
_ECHO_INPUT = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "repeat": {"type": "integer", "minimum": 1, "maximum": 1000},
        "shout": {"type": "boolean"},
    },
    "required": ["text"],
}
_KNOWN = {
    "owner": "owners",
    "name": "names",
    "version_id": "version_ids",
    "other_id": "version_ids",
    "prediction_id": "predictions",
}
_KNOWN |= {"token": "streams", "slug": "collections", "training_id": "trainings"}


def _remove_patterns_of_addresses(part: Any) -> None:
    """Where both are said schemathesis makes addresses from the pattern, and not from the format above."""
    if isinstance(part, dict):
        if part.get("format") == "uri":
            part.pop("pattern", None)
        for member in part.values():
            _remove_patterns_of_addresses(member)
    elif isinstance(part, list):
        for member in part:
            _remove_patterns_of_addresses(member)


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    """In an address null is the text `null`, which may be a tag, as `true` may: nothing is wrong with it."""
    return not isinstance(query, dict) or str(query.get("tag", "")).lower() not in ("none", "null", "true", "false")


@schemathesis.hook
def map_headers(context: Any, headers: Any) -> Any:
    """Each key is new: one that was used answers with what it made, which may have been deleted since."""
    key = headers.get("Idempotency-Key") if isinstance(headers, dict) else None
    if isinstance(key, str) and 0 < len(key) <= 200 and key.isascii() and key.isprintable():
        return {**headers, "Idempotency-Key": f"{key}-{secrets.token_hex(4)}"}
    return headers


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """No deployment keeps instances ready, which would take the machine from everything else; none is disabled."""
    if isinstance(body, dict) and body.get("max_instances") == 0:
        body = {**body, "max_instances": 1}
    if isinstance(body, dict) and body.get("min_instances") in range(1, 6):
        return {**body, "min_instances": 0}
    return body


@schemathesis.hook
def map_query(context: Any, query: Any) -> Any:
    """No long waits for events."""
    if isinstance(query, dict) and query.get("wait") in range(2, 31):
        return {**query, "wait": 1}
    return query


def _narrow_parameter(path: str, parameter: dict[str, Any]) -> None:
    name = parameter["name"]
    if path.endswith("/download"):
        parameter["schema"] = {"anyOf": [{"enum": [FACTS["download"][name]]}, parameter["schema"]]}
    elif parameter["in"] == "path" and FACTS.get(_KNOWN.get(name, "")):
        known = {"type": "string", "enum": FACTS[_KNOWN[name]]}
        parameter["schema"] = {"anyOf": [known, {"type": "string", "minLength": 1}]}
    elif name == "tag":
        parameter["schema"]["items"] = {"type": "string", "format": "tag"}
    elif name == "Cancel-After":
        parameter["schema"] = {"type": "string", "enum": ["5s", "30", "1m30s", "2h"]}
    elif name == "Prefer":  # a longer wait is no other code, only a longer run
        parameter["schema"] = {"anyOf": [{"type": "string", "enum": ["wait=1", "wait=abc"]}, {"type": "string"}]}
