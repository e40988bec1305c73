"""Running a model from its page: what the form shows, and the endpoints that its script calls.

A form posts to the same address with and without a script; the script asks for JSON. What is typed is judged by
`check`, which also writes the programs, so that there is one reading of forms and one set of messages.
Source: product-ux.md 3.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST

from accounts.access import Caller
from accounts.authentication import session_caller
from marketplace.lib.api_errors import parse_object
from marketplace.lib.problems import InputInvalid, InvalidField, NotFound, Problem, Unauthenticated
from marketplace.pages.model_head import head
from models_catalog import lookup, schemas
from models_catalog.models import Example, Model, Version
from models_catalog.schemas import Document, FieldKind, form_fields
from runner import files, predictions, reruns
from runner.bound_fields import BoundForm, bind
from runner.forms import PREFIX, input_from_form
from runner.models import Prediction
from runner.predictions import NewPrediction
from runner.run_panels import RunPanel, panel_of
from runner.shown_values import ShownOutput, as_json, in_form_order, show_output
from runner.snippets import Snippet, snippets, target_of
from runner.views import wants_json


@dataclass(frozen=True, slots=True)
class Filled:
    """A playground to show: which version, what is in its form, and what its output pane shows."""

    model: Model
    version: Version
    value: dict[str, Any]
    invalid: tuple[InvalidField, ...] = ()
    panel: RunPanel | None = None
    example: ShownOutput | None = None


def default_version(caller: Caller | None, model: Model) -> Version | None:
    """What the form is for where nobody names a version: the latest, else the newest that the caller may see."""
    return model.latest_version or lookup.list_versions(caller, model).first()


def filled(caller: Caller | None, model: Model, query: QueryDict, default: Version) -> Filled:
    """From `?prediction=` (one's own), `?example=` or the model's first example; `?version=` chooses the version.

    Raises NotFound for what is not there to see.
    """
    version_id = query.get("version", "")
    if prediction_id := query.get("prediction"):
        prediction = _own_prediction(caller, model, prediction_id)
        panel = panel_of(prediction, prediction.version.openapi_schema)
        return Filled(model, prediction.version, prediction.input, panel=panel)
    version = lookup.get_version(caller, model, version_id) if version_id else default
    if example_id := query.get("example"):
        example: Example | None = model.examples.filter(prediction_id=example_id).first()
        if example is None:
            raise NotFound()
    else:
        example = model.examples.first()
    if example is None:
        return Filled(model, version, {})
    output = show_output(version.openapi_schema, example.prediction.get("output"))
    return Filled(model, version, example.prediction.get("input", {}), example=output)


def _own_prediction(caller: Caller | None, model: Model, prediction_id: str) -> Prediction:
    if caller is None:
        raise NotFound()
    prediction = predictions.get_prediction(caller, prediction_id)
    if prediction.model_id != model.pk:
        raise NotFound()
    return prediction


def context(shown: Filled, *, follow_path: str) -> dict[str, Any]:
    """For `runner/_playground.html`. follow_path: the page that refreshes itself where there is no script."""
    schema = shown.version.openapi_schema
    return {
        "version": shown.version,
        "is_latest": shown.version.pk == shown.model.latest_version_id,
        "form": bind(schema, shown.value, shown.invalid),
        "panel": shown.panel,
        "example": shown.example,
        "snippets": programs(shown.model, shown.version, sample_input(schema, None) | shown.value),
        "follow_path": follow_path,
    }


def sample_input(schema: Document, example: Example | None) -> dict[str, Any]:
    """An input for programs to copy: the example's, else the defaults and something for what is required."""
    if example is not None:
        return dict(example.prediction.get("input", {}))
    stand_ins: dict[str, Any] = {"string": "…", "integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}
    found = {}
    for field in form_fields(schema):
        if field.has_default and field.default not in (None, ""):
            found[field.name] = field.default
        elif field.required:
            found[field.name] = "https://…" if field.kind is FieldKind.FILE else stand_ins.get(field.type, "…")
            found[field.name] = field.choices[0] if field.choices else found[field.name]
    return found


def programs(model: Model, version: Version, value: Mapping[str, Any]) -> list[Snippet]:
    """The same prediction as code, secrets left out."""
    secrets = [field.name for field in form_fields(version.openapi_schema) if field.is_secret]
    ordered = in_form_order(version.openapi_schema, value)
    return snippets(target_of(version.openapi_schema, model.full_name, version.pk), ordered, secrets)


@require_POST
def create_prediction(request: HttpRequest) -> HttpResponse:
    """Run what the form says. Scripts get the panel; browsers the prediction's page, or the form with its mistakes."""
    caller = session_caller(request)
    if caller is None and not wants_json(request):
        return redirect_to_login(f"/{_visible(None, request.POST.get('version', '')).model.full_name}")
    if caller is None:
        raise Unauthenticated("Sign in to run models")
    if request.content_type == "application/json":
        return _create_from_json(request, caller)
    version = _runnable(caller, request.POST.get("version", ""))
    value: dict[str, Any] = {}
    try:
        uploads = _store_all(caller, request)
        value = input_from_form(version.openapi_schema, request.POST, uploads)
        prediction = _create(caller, version, value)
    except InputInvalid as problem:
        return _refused(request, version, value, problem)
    if not wants_json(request):
        return redirect("prediction", prediction_id=prediction.pk)
    return _accepted(request, prediction, version)


@require_POST
def run_again(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """The same version with the same input. Not for inputs with secrets: nobody has those any more."""
    caller = session_caller(request)
    if caller is None:
        raise Unauthenticated("Sign in to run models")
    before = predictions.get_prediction(caller, prediction_id)
    version = _runnable(caller, before.version_id)
    try:
        prediction = _create(caller, version, reruns.input_again(before, {}), rerun_of=before.pk)
    except InputInvalid as problem:
        return _refused(request, version, before.input, problem)
    return redirect("prediction", prediction_id=prediction.pk)


def _create_from_json(request: HttpRequest, caller: Caller) -> HttpResponse:
    body = parse_object(request.body)
    version = _runnable(caller, str(body.get("version", "")))
    value = body.get("input")
    if not isinstance(value, dict):
        raise InputInvalid([InvalidField("invalid_type", "input", "Invalid type. Expected: object")])
    return _accepted(request, _create(caller, version, value), version)


def _create(caller: Caller, version: Version, value: dict[str, Any], *, rerun_of: str = "") -> Prediction:
    facts = lookup.find_facts(caller, version.pk)
    if facts is None:
        raise NotFound()
    new = NewPrediction(input=value, source=Prediction.Source.WEB, rerun_of=rerun_of)
    return predictions.create(caller, facts, new)


def _accepted(request: HttpRequest, prediction: Prediction, version: Version) -> HttpResponse:
    panel = panel_of(prediction, version.openapi_schema)
    html = render_to_string("runner/_run.html", {"panel": panel}, request=request)
    url, watch = f"/p/{prediction.pk}", f"/ws/predictions/{prediction.pk}"
    return JsonResponse({"id": prediction.pk, "url": url, "ws": watch, "html": html}, status=201)


def _refused(request: HttpRequest, version: Version, value: dict[str, Any], problem: InputInvalid) -> HttpResponse:
    """The mistakes at their fields: as a document for the script, else the whole page with what was typed."""
    if wants_json(request):
        form = bind(version.openapi_schema, value, problem.fields)
        return JsonResponse({**problem.body(), **_mistakes(form)}, status=problem.status)
    shown = Filled(version.model, version, value, tuple(problem.fields))
    page = head(session_caller(request), version.model, "playground") | context(shown, follow_path=request.path)
    return render(request, "models_catalog/model.html", page, status=problem.status)


@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """What the form stands for: its mistakes, the input as JSON, and the programs. Changes nothing."""
    caller = session_caller(request)
    version = _visible(caller, request.POST.get("version", ""))
    schema = version.openapi_schema
    value: dict[str, Any] = {}
    try:
        value = input_from_form(schema, request.POST)
        invalid = [InvalidField(p.type, p.field, p.description) for p in _problems(version, value)]
    except InputInvalid as problem:
        invalid = problem.fields
    shown = schemas.redact(schema, value)
    code = {one.language: one.text for one in programs(version.model, version, value)}
    return JsonResponse({**_mistakes(bind(schema, value, invalid)), "json": as_json(shown), "snippets": code})


def _problems(version: Version, value: dict[str, Any]) -> list[Any]:
    return schemas.validator_for(version.pk, version.openapi_schema).problems(value)


def _mistakes(form: BoundForm) -> dict[str, Any]:
    return {
        "fields": {field.field.name: list(field.errors) for field in form.fields if field.errors},
        "summary": list(form.summary),
    }


@require_POST
def upload_file(request: HttpRequest) -> HttpResponse:
    """Keep one file for an input; answers with the address to put into it."""
    caller = session_caller(request)
    if caller is None:
        raise Unauthenticated("Sign in to upload files")
    upload = request.FILES.get("content")
    if not isinstance(upload, UploadedFile):
        raise Problem("No file was sent")
    stored = _store(caller, upload)
    return JsonResponse({"url": stored, "name": upload.name, "size": upload.size}, status=201)


def _store_all(caller: Caller, request: HttpRequest) -> dict[str, list[str]]:
    """Files that were sent with the form itself, where no script had uploaded them before."""
    named = {name: request.FILES.getlist(name) for name in request.FILES if name.startswith(PREFIX)}
    return {name: [_store(caller, upload) for upload in uploads if upload.size] for name, uploads in named.items()}


def _store(caller: Caller, upload: "UploadedFile[bytes]") -> str:
    kind = upload.content_type or "application/octet-stream"
    return files.upload_url(
        files.store_upload(caller, upload, name=upload.name or "file", content_type=kind, metadata={})
    )


def _runnable(caller: Caller, version_id: str) -> Version:
    version = _visible(caller, version_id)
    if lookup.find_facts(caller, version.pk) is None:
        raise NotFound()
    return version


def _visible(caller: Caller | None, version_id: str) -> Version:
    """A version that can run, of a model the one who asks may see. Raises NotFound."""
    versions = lookup.visible_versions(caller).filter(status=Version.Status.READY)
    found = versions.select_related("model__account").filter(pk=version_id.replace("\x00", "").lower()).first()
    if found is None:
        raise NotFound()
    return found
