"""Models with a version that can run, without a build: for tests of what surrounds running."""

import secrets
from typing import Any

import factory

from models_catalog.models import Model, Version
from tests.accounts.factories import AccountFactory


def schema(
    inputs: dict[str, Any] | None = None, output: dict[str, Any] | None = None, **components: Any
) -> dict[str, Any]:
    """A document like Cog's: by default one required text in, a text out."""
    properties = {"text": {"type": "string", "title": "Text", "x-order": 0}} if inputs is None else inputs
    required = [name for name, field in properties.items() if "default" not in field and not field.get("nullable")]
    input_component = {"type": "object", "title": "Input", "properties": properties, "required": required}
    if not required:
        del input_component["required"]
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {
            "schemas": {
                "Input": input_component,
                "Output": output or {"type": "string", "title": "Output"},
                **components,
            }
        },
    }


TEXT_ITERATOR = {
    "type": "array",
    "items": {"type": "string"},
    "x-cog-array-type": "iterator",
    "x-cog-array-display": "concatenate",
}
FILE_ITERATOR = {"type": "array", "items": {"type": "string", "format": "uri"}, "x-cog-array-type": "iterator"}


TRAINING = {
    "TrainingInput": {
        "type": "object",
        "title": "TrainingInput",
        "properties": {
            "text": {"type": "string", "format": "uri", "title": "Text", "x-order": 0},
            "order": {"type": "integer", "title": "Order", "minimum": 2, "maximum": 6, "default": 4, "x-order": 1},
            "key": {"type": "string", "title": "Key", "x-order": 2, "x-cog-secret": True, "nullable": True},
        },
        "required": ["text"],
    },
    "TrainingOutput": {
        "type": "object",
        "title": "TrainingOutput",
        "properties": {"weights": {"type": "string", "format": "uri", "title": "Weights"}},
    },
}
"""Components of a version that can train: `schema(**TRAINING)`."""


class ModelFactory(factory.django.DjangoModelFactory[Model]):
    """A public model without versions."""

    class Meta:
        model = Model

    account: Any = factory.SubFactory(AccountFactory)
    name = factory.Sequence(lambda number: f"model-{number}")
    hardware = "cpu"


class VersionFactory(factory.django.DjangoModelFactory[Version]):
    """A version that can run, its model's latest.

    `VersionFactory.create(model__account=alice, openapi_schema=schema(…))`
    """

    class Meta:
        model = Version
        skip_postgeneration_save = True

    id = factory.LazyFunction(lambda: secrets.token_hex(32))
    model: Any = factory.SubFactory(ModelFactory)
    status = Version.Status.READY
    cog_version = "0.16.8"
    openapi_schema = factory.LazyFunction(schema)

    @factory.post_generation  # type: ignore[untyped-decorator]  # factory-boy has no types here
    def latest(self: Version, create: bool, extracted: bool | None, **_: Any) -> None:
        """Every new version is its model's latest, unless `latest=False`."""
        if extracted is not False:
            self.model.latest_version = self
            self.model.save(update_fields=["latest_version"])
