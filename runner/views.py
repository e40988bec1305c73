"""Pages of one's predictions: the list, one of them, and cancelling one. Other people's are 404.

Source: product-ux.md 4, 5.2.
"""

import base64
import binascii
import datetime
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import Caller
from accounts.authentication import session_caller
from billing.models import UsageRecord
from billing.shown_bills import ShownBill, shown_bill
from marketplace.lib import dbthreads
from marketplace.lib.problems import Unauthenticated
from models_catalog.schemas import REDACTED, form_fields
from runner import api_predictions, files, predictions, snippets, trainings, usage_filters
from runner.documents import document_of
from runner.explanation_facts import facts_of
from runner.explanations import explain
from runner.input_files import find_upload
from runner.models import Prediction, StoredFile
from runner.run_panels import panel_of, steps_of
from runner.shown_values import Part, as_json, in_form_order, is_ours, show_value
from runner.snippets import Snippet
from runner.states import Status

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class ShownInput:
    """One member of an input: its name, its label and what it is."""

    name: str
    label: str
    parts: list[Part]


@login_required
@require_safe
def prediction_page(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """One prediction with all that is known of it."""
    caller = _caller(request)
    prediction = predictions.get_run(caller, prediction_id)
    schema = prediction.version.openapi_schema
    secrets = [field.name for field in form_fields(schema, prediction.input_component) if field.is_secret]
    value = in_form_order(schema, prediction.input, prediction.input_component)
    context = {
        "prediction": prediction,
        "has_secrets": any(name in prediction.input for name in secrets),
        "result": trainings.result_of(prediction) if prediction.is_training else None,
        "panel": panel_of(prediction, schema),
        "inputs": shown_inputs(caller, prediction),
        "input_json": as_json(value),
        "steps": steps_of(prediction),
        "explanation": explain(facts_of(prediction)),
        "bill": _bill(prediction),
        "metrics": {name: value for name, value in prediction.metrics.items() if not name.endswith("_time")},
        "snippets": [] if prediction.is_training else _snippets(prediction, value, secrets),
    }
    return render(request, "runner/prediction.html", context)


def _bill(prediction: Prediction) -> ShownBill | None:
    if not prediction.is_terminal:
        return None
    return shown_bill(
        f"prediction/{prediction.pk}",
        billing_class=prediction.billing_class,
        has_started=prediction.started_at is not None,
    )


def _snippets(prediction: Prediction, value: dict[str, Any], secrets: list[str]) -> list[Snippet]:
    target = snippets.target_of(prediction.version.openapi_schema, prediction.model_name, prediction.version_id)
    return snippets.snippets(target, value, secrets)


def shown_inputs(caller: Caller, prediction: Prediction) -> list[ShownInput]:
    """The input in the form's order, uploads as links that work for an hour."""
    schema = prediction.version.openapi_schema
    labels = {field.name: field.label for field in form_fields(schema, prediction.input_component)}
    value = in_form_order(schema, prediction.input, prediction.input_component)
    return [ShownInput(name, labels.get(name, name), _input_parts(caller, item)) for name, item in value.items()]


def _input_parts(caller: Caller, value: Any) -> list[Part]:
    values = value if isinstance(value, list) and all(isinstance(item, str) for item in value) else [value]
    parts: list[Part] = []
    for item in values:
        upload = find_upload(caller, item) if isinstance(item, str) else None
        parts += show_value(_link(caller, upload), name=upload.name) if upload else show_value(item)
    return parts


def _link(caller: Caller, upload: StoredFile) -> str:
    return files.download_url(upload, caller.username)


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """The account's predictions, newest first, a page at a time."""
    caller = _caller(request)
    everything = predictions.list_runs(caller)
    status, model = request.GET.get("status", ""), request.GET.get("model", "").strip()
    kind = request.GET.get("kind", "")
    usage = usage_filters.narrowed(everything, request.GET)
    chosen = usage.predictions
    if status in Status.values:
        chosen = chosen.filter(status=status)
    if kind in Prediction.Kind.values:
        chosen = chosen.filter(kind=kind)
    if model:
        chosen = chosen.filter(model_name__iexact=model)
    rows, next_cursor = _page(chosen, request.GET.get("cursor", ""))
    amounts = _amounts(caller, rows)
    context = {
        "rows": [
            (row, _summary(row), row.metrics.get("predict_time"), amounts.get(f"prediction/{row.pk}")) for row in rows
        ],
        "next_cursor": next_cursor,
        "is_first": "cursor" not in request.GET,
        "status": status,
        "model": model,
        "kind": kind,
        "statuses": Status.choices,
        "usage": usage,
        "is_filtered": bool(status or model or kind or usage.query),
        "models": list(everything.order_by("model_name").values_list("model_name", flat=True).distinct()[:50]),
    }
    return render(request, "runner/dashboard.html", context)


def _page(chosen: QuerySet[Prediction], cursor: str) -> tuple[list[Prediction], str]:
    """One page by keyset: stable while newer rows are added."""
    if after := _decode(cursor):
        created_at, pk = after
        chosen = chosen.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=pk))
    rows = list(chosen.defer("output", "logs").order_by("-created_at", "-pk")[: PAGE_SIZE + 1])
    shown = rows[:PAGE_SIZE]
    if len(rows) <= PAGE_SIZE:
        return shown, ""
    text = f"{shown[-1].created_at.isoformat()}~{shown[-1].pk}"
    return shown, base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime.datetime, str] | None:
    """A cursor that makes no sense starts at the beginning."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, pk = text.partition("~")
        created_at = datetime.datetime.fromisoformat(moment)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (created_at, pk) if created_at.tzinfo and pk.isalnum() else None


def _amounts(caller: Caller, rows: list[Prediction]) -> dict[str, int]:
    subjects = [f"prediction/{row.pk}" for row in rows]
    records = UsageRecord.objects.filter(account_id=caller.account_id, subject__in=subjects)
    return dict(records.values_list("subject", "amount_nanos"))


def _summary(prediction: Prediction) -> str:
    """The longest text of the input, which is most often what was asked, for a line of a table."""
    texts = [value for value in prediction.input.values() if isinstance(value, str) and value != REDACTED]
    longest = max((text for text in texts if not is_ours(text)), key=len, default="")
    return " ".join(longest[:300].split())


@require_POST
async def cancel_prediction(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """Stop it; answers a script with the state, a form with its page."""
    caller = await dbthreads.run(_caller, request)
    prediction = await api_predictions.cancel(predictions.list_runs(caller), prediction_id)
    if wants_json(request):
        return JsonResponse({"id": prediction.pk, "status": prediction.status})
    return redirect("prediction", prediction_id=prediction.pk)


@login_required
@require_safe
def prediction_json(request: HttpRequest, prediction_id: str) -> HttpResponse:
    """The prediction as the API shows it, for "download"."""
    prediction = predictions.get_run(_caller(request), prediction_id)
    return JsonResponse(document_of(prediction), json_dumps_params={"indent": 2})


def wants_json(request: HttpRequest) -> bool:
    """Did a script ask? Forms that a browser posts accept HTML."""
    return "text/html" not in request.headers.get("Accept", "")


def _caller(request: HttpRequest) -> Caller:
    caller = session_caller(request)
    if caller is None:
        raise Unauthenticated("Sign in first")
    return caller
