"""The input as the model gets it: secrets put back, nulls and unknown members removed, files fetched and inlined.

The runner fetches, not the model: its client refuses private addresses, and a sandboxed model has no network.
Source: cog-runtime.md 4.7, checklist 25; replicate-api.md 3.8.
"""

import base64
from typing import Any

from django.conf import settings

from marketplace.lib import dbthreads, egress
from models_catalog import schemas
from models_catalog.schemas.documents import properties, resolved
from runner import input_files
from runner.models import Prediction


class InputUnavailable(Exception):
    """A file of the input can't be had; the text says which and why."""


async def input_for_model(prediction: Prediction, schema: dict[str, Any], secrets: dict[str, Any]) -> dict[str, Any]:
    """Raises InputUnavailable."""
    component = prediction.input_component
    given = schemas.clean_input(schema, {**prediction.input, **secrets}, component)
    if input_files.has_own_files(given):
        given = await dbthreads.run(input_files.resolve_inputs, prediction.account_id, given)
    for name, node in properties(schema, component).items():
        value = given.get(name)
        if value is None or not _holds_files(schema, node):
            continue
        given[name] = [await _inline(name, v) for v in value] if isinstance(value, list) else await _inline(name, value)
    return given


def _holds_files(schema: dict[str, Any], node: dict[str, Any]) -> bool:
    prop = resolved(schema, node)
    return prop.get("format") == "uri" or (prop.get("items") or {}).get("format") == "uri"


async def _inline(name: str, value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        return value
    try:
        fetched = await egress.fetch(value, max_bytes=settings.INPUT_FILE_MAX_BYTES, timeout_seconds=60)
    except (egress.EgressRefused, egress.EgressFailed) as error:
        raise InputUnavailable(f"input.{name}: could not download the file: {error}") from error
    content = base64.b64encode(fetched.content).decode()
    return f"data:{fetched.content_type or 'application/octet-stream'};base64,{content}"
