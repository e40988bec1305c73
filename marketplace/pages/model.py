"""A model's page: what it is, what it costs, and its tabs. Each tab is an address of its own.

Source: product-ux.md 3.1, 3.2, 3.4 to 3.7.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import Caller
from accounts.authentication import session_caller
from marketplace.pages import playground
from marketplace.pages.comparison import predecessors
from marketplace.pages.model_head import head, is_owner
from models_catalog import lookup, readmes
from models_catalog.models import Example, Model, Version
from models_catalog.schemas import Document, form_fields
from models_catalog.schemas.documents import component
from runner.bound_fields import bind
from runner.shown_values import as_json, show_output, show_value


@require_safe
def playground_tab(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """The form and its output. `?version=`, `?prediction=` and `?example=` say what to fill in."""
    caller, model = _model(request, owner, name)
    context = head(caller, model, "playground")
    if default := playground.default_version(caller, model):
        filled = playground.filled(caller, model, request.GET, default)
        context |= playground.context(filled, follow_path=model_path(model))
    return render(request, "models_catalog/model.html", context)


@require_safe
def api_tab(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """How to call it, and every input and output."""
    caller, model = _model(request, owner, name)
    context = head(caller, model, "api")
    if version := playground.default_version(caller, model):
        schema = version.openapi_schema
        value = playground.sample_input(schema, model.examples.first())
        context |= {
            "form": bind(schema, {}),
            "version": version,
            "snippets": playground.programs(model, version, value),
            "output_schema": as_json(component(schema, "Output")),
            "input_schema": as_json(component(schema, "Input")),
        }
    return render(request, "models_catalog/model_api.html", context)


@require_safe
def examples_tab(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Runs that the author chose to show."""
    caller, model = _model(request, owner, name)
    version = playground.default_version(caller, model)
    schema = version.openapi_schema if version else {}
    examples = [_shown_example(example, schema) for example in model.examples.all()[:50]]
    context = {**head(caller, model, "examples"), "examples": examples}
    return render(request, "models_catalog/model_examples.html", context)


@require_safe
def readme_tab(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """What the author says of it."""
    caller, model = _model(request, owner, name)
    context = {**head(caller, model, "readme"), "readme": readmes.render(model.readme) if model.readme.strip() else ""}
    return render(request, "models_catalog/model_readme.html", context)


@require_safe
def versions_tab(request: HttpRequest, owner: str, name: str) -> HttpResponse:
    """Its versions, newest first; the owner also sees those that are being built or failed."""
    caller, model = _model(request, owner, name)
    versions = lookup.visible_versions(caller).filter(model=model).defer("openapi_schema", "config")
    if not is_owner(caller, model):
        versions = versions.filter(status=Version.Status.READY)
    shown = list(versions.order_by("-created_at")[:200])
    before = predecessors(shown)
    rows = [(version, before.get(version.pk)) for version in shown]
    context = {**head(caller, model, "versions"), "rows": rows}
    return render(request, "models_catalog/model_versions.html", context)


def model_path(model: Model) -> str:
    """Its page's address."""
    return f"/{model.full_name}"


def _model(request: HttpRequest, owner: str, name: str) -> tuple[Caller | None, Model]:
    """The model, if the one who asks may see it. Raises NotFound."""
    caller = session_caller(request)
    return caller, lookup.get_model(caller, owner, name)


def _shown_example(example: Example, schema: Document) -> dict[str, Any]:
    document = example.prediction
    labels = {field.name: field.label for field in form_fields(schema)}
    return {
        "example": example,
        "output": show_output(schema, document.get("output")),
        "inputs": [
            (labels.get(name, name), list(show_value(value))) for name, value in document.get("input", {}).items()
        ],
        "seconds": document.get("metrics", {}).get("predict_time"),
        "version": document.get("version", ""),
    }
