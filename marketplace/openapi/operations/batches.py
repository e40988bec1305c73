"""Batches: many predictions of one version by one call. Replicate has none of this."""

from typing import Any

from marketplace.openapi.examples import PREDICTION_EXAMPLE, QUOTE_EXAMPLE, page_example
from marketplace.openapi.operation import Link, Operation
from marketplace.openapi.schemas import ref
from runner.states import Status

_ID = "4s0v2m9b8qd25vt4f5v37e3s3e"
_ADDRESS = f"https://models.example.test/v1/batches/{_ID}"
_BATCH: dict[str, Any] = {
    "id": _ID,
    "model": PREDICTION_EXAMPLE["model"],
    "version": PREDICTION_EXAMPLE["version"],
    "status": "processing",
    "total": 3,
    "counts": {**dict.fromkeys(Status.values, 0), "starting": 1, "processing": 1, "succeeded": 1},
    "created_at": "2026-01-02T03:04:05.678901Z",
    "completed_at": None,
    "urls": {"get": _ADDRESS, "cancel": f"{_ADDRESS}/cancel", "predictions": f"{_ADDRESS}/predictions"},
    "webhook": "https://hooks.example.test/batches",
    "tags": ["nightly"],
}
_OVER = {**_BATCH, "status": "completed", "completed_at": "2026-01-02T03:04:09.000000Z"}
_CANCELED = {**_OVER, "counts": {**dict.fromkeys(Status.values, 0), "succeeded": 1, "canceled": 2}}
_QUOTE = {
    **QUOTE_EXAMPLE,
    "predictions": 3,
    "expected_total_cost": {
        "currency": "usd",
        "p50": "0.000344631",
        "p90": "0.00075",
        "p50_nanos": 344_631,
        "p90_nanos": 750_000,
    },
}
_OF_BATCH = {"batch_id": "$response.body#/id"}
_NEXT = tuple(Link(to, _OF_BATCH) for to in ("batches.get", "batches.predictions.list", "batches.cancel"))

OPERATIONS = (
    Operation(
        "post",
        "/batches",
        "batches.create",
        "Batches",
        "Create many predictions of one version",
        {"201": ref("Batch")},
        "Extension: one prediction for each input, all or none. Where inputs are wrong the answer names every mistake "
        "as `inputs.<index>.…`, and nothing is created. It counts as one call; how many inputs an account's unfinished "
        "batches may have together is limited (429).",
        body=ref("NewBatch"),
        body_example={
            "version": PREDICTION_EXAMPLE["version"],
            "inputs": [{"text": "one"}, {"text": "two"}, {"text": "three"}],
            "webhook": "https://hooks.example.test/batches",
            "tags": ["nightly"],
        },
        answer_example={**_BATCH, "counts": {**dict.fromkeys(Status.values, 0), "starting": 3}},
        parameters=("Idempotency-Key",),
        also=(("200", ref("Quote"), _QUOTE),),
        headers=("Location",),
        links=_NEXT,
        errors=("400", "402", "409", "422"),
    ),
    Operation(
        "get",
        "/batches",
        "batches.list",
        "Batches",
        "List batches",
        {"200": ref("BatchPage")},
        "Extension: all of the account, newest first, 100 a page.",
        answer_example=page_example(_BATCH),
        parameters=("cursor",),
        links=(Link("batches.get", {"batch_id": "$response.body#/results/0/id"}),),
    ),
    Operation(
        "get",
        "/batches/{batch_id}",
        "batches.get",
        "Batches",
        "Get a batch",
        {"200": ref("Batch")},
        "Extension: how many of its predictions are in which state.",
        answer_example=_BATCH,
        links=_NEXT[1:],
        errors=("404",),
    ),
    Operation(
        "get",
        "/batches/{batch_id}/predictions",
        "batches.predictions.list",
        "Batches",
        "List the predictions of a batch",
        {"200": ref("PredictionPage")},
        "Extension: in the order of the inputs, 100 a page.",
        answer_example=page_example({**PREDICTION_EXAMPLE, "batch": _ID, "tags": ["nightly"]}),
        parameters=("cursor",),
        errors=("404",),
    ),
    Operation(
        "post",
        "/batches/{batch_id}/cancel",
        "batches.cancel",
        "Batches",
        "Cancel a batch",
        {"200": ref("Batch")},
        "Extension: ends every prediction of it that has not ended. One that is over stays as it is.",
        answer_example=_CANCELED,
        errors=("404",),
    ),
)
