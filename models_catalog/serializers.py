"""Models, versions and collections as the API shows them.  Source: replicate-api.md 2.5, 2.6, 2.7.

Documents are complete or null: official clients validate nested ones. A page of models costs one query more than its
rows.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings

from marketplace.lib.timestamps import timestamp
from models_catalog.models import Collection, Example, Model, Version
from models_catalog.schemas import Change, compare

_IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif")


def model_documents(models: Sequence[Model]) -> list[dict[str, Any]]:
    """models: with their account and latest version loaded."""
    newest_first = Example.objects.filter(model__in=models).order_by("model_id", "position", "-created_at")
    examples = {example.model_id: example.prediction for example in newest_first.distinct("model_id")}
    return [_model_document(model, examples.get(model.pk)) for model in models]


def _model_document(model: Model, example: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "url": f"{settings.PUBLIC_URL}/{model.full_name}",
        "owner": model.account.username,
        "name": model.name,
        "description": model.description or None,
        "visibility": model.visibility,
        "is_official": model.is_official,
        "github_url": model.github_url or None,
        "paper_url": model.paper_url or None,
        "license_url": model.license_url or None,
        "weights_url": model.weights_url or None,
        "run_count": model.run_count,
        "cover_image_url": model.cover_image_url or _first_image(example),
        "created_at": timestamp(model.created_at),
        "default_example": example,
        "latest_version": version_document(model.latest_version) if model.latest_version else None,
    }


def version_document(version: Version) -> dict[str, Any]:
    """`cog_version` and `openapi_schema` are never null: one client requires both."""
    return {
        "id": version.pk,
        "created_at": timestamp(version.created_at),
        "cog_version": version.cog_version or "unknown",
        "openapi_schema": version.openapi_schema,
    }


def comparison_document(before: Version, after: Version) -> dict[str, Any]:
    """What changed from one version's inputs and output to another's. An extension."""
    comparison = compare(before.openapi_schema, after.openapi_schema)
    inputs = {"added": comparison.added, "removed": comparison.removed, "changed": comparison.changed}
    return {
        "from": before.pk,
        "to": after.pk,
        "inputs": {kind: [_change_document(change) for change in changes] for kind, changes in inputs.items()},
        "output": _change_document(comparison.output) if comparison.output else None,
        "is_breaking": bool(comparison.breaking),
        "breaking": comparison.breaking,
    }


def _change_document(change: Change) -> dict[str, Any]:
    return {"name": change.name, "from": change.before, "to": change.after, "is_breaking": change.is_breaking}


def collection_document(collection: Collection) -> dict[str, Any]:
    """As in the list of collections."""
    return {"name": collection.name, "slug": collection.slug, "description": collection.description}


def collection_with_models(collection: Collection, models: Sequence[Model]) -> dict[str, Any]:
    """With its models in full."""
    return {
        **collection_document(collection),
        "full_description": collection.full_description or None,
        "models": model_documents(models),
    }


def _first_image(example: dict[str, Any] | None) -> str | None:
    """The first picture that the example made, else that it was given."""
    values = (example.get("output"), example.get("input")) if example else ()
    return next((text for value in values for text in _strings(value) if _is_image(text)), None)


def _is_image(text: str) -> bool:
    return text.startswith(("http://", "https://")) and text.partition("?")[0].lower().endswith(_IMAGE_ENDINGS)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
