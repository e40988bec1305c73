"""The run that the home page shows: an example of a model with its output, and the program that makes the same run."""

from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings

from models_catalog import schemas
from models_catalog.models import Example, Model
from runner.shown_values import ShownOutput, show_output
from runner.snippets import Snippet, Target, snippets


@dataclass(frozen=True, slots=True)
class Showcase:
    """A model at work."""

    model: Model
    inputs: list[tuple[str, str]]  # label, value in words
    output: ShownOutput
    seconds: float | None
    programs: list[Snippet]


def of(example: Example | None) -> Showcase | None:
    """The example as the home page shows it, None where there is nothing to show."""
    if example is None or example.model.latest_version is None:
        return None
    model, document, version = example.model, example.prediction, example.model.latest_version
    schema, value = version.openapi_schema, document.get("input", {})
    labels = {field.name: field.label for field in schemas.form_fields(schema)}
    target = Target(
        base_url=settings.PUBLIC_URL,
        model_name=model.full_name,
        version_id="" if model.is_official else version.pk,
        is_iterator=schemas.is_iterator(schema),
        is_text=schemas.is_concatenated(schema),
    )
    return Showcase(
        model=model,
        inputs=[(labels.get(name, name), _in_words(item)) for name, item in value.items()],
        output=show_output(schema, document.get("output")),
        seconds=document.get("metrics", {}).get("predict_time"),
        programs=snippets(target, value),
    )


def _in_words(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
