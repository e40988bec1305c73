"""Predictions and their streams.  Source: replicate-api.md 2.3, 2.4, 4."""

from typing import Any

from marketplace.openapi.examples import PREDICTION_EXAMPLE
from marketplace.openapi.operation import MODEL_PATH, Operation
from marketplace.openapi.schemas import ref

_CREATED: dict[str, dict[str, Any] | None] = {"201": ref("Prediction"), "202": ref("Prediction")}
_WAITING = ("Prefer", "Cancel-After", "Idempotency-Key")
_STREAM = (
    "The address comes with the prediction as `urls.stream`; its token is all that is needed. Events: `output` "
    "for each item, `error` when it failed, `done` at the end. Who comes back sends `Last-Event-ID`."
)

OPERATIONS = (
    Operation(
        "post",
        "/predictions",
        "predictions.create",
        "Predictions",
        "Create a prediction",
        _CREATED,
        "Answered at once with status `starting`. With `Prefer: wait` the answer is held until it has ended (201), "
        "or the time is over (202).",
        body=ref("NewPrediction"),
        body_example={"version": PREDICTION_EXAMPLE["version"], "input": {"text": "hi there"}},
        answer_example=PREDICTION_EXAMPLE,
        parameters=_WAITING,
        errors=("400", "402", "409", "422"),
    ),
    Operation(
        "get",
        "/predictions",
        "predictions.list",
        "Predictions",
        "List predictions",
        {"200": ref("PredictionPage")},
        "All of the account, newest first, 100 a page.",
        parameters=("created_after", "created_before", "source", "cursor"),
        errors=("400",),
    ),
    Operation(
        "get",
        "/predictions/{prediction_id}",
        "predictions.get",
        "Predictions",
        "Get a prediction",
        {"200": ref("Prediction")},
        answer_example=PREDICTION_EXAMPLE,
        errors=("404",),
    ),
    Operation(
        "post",
        "/predictions/{prediction_id}/cancel",
        "predictions.cancel",
        "Predictions",
        "Cancel a prediction",
        {"200": ref("Prediction")},
        "Answers with the prediction ended; one that had ended stays as it is.",
        errors=("404",),
    ),
    Operation(
        "post",
        f"{MODEL_PATH}/predictions",
        "models.predictions.create",
        "Predictions",
        "Run an official model by its name",
        _CREATED,
        body=ref("NewOfficialPrediction"),
        body_example={"input": {"text": "hi there"}},
        parameters=_WAITING,
        errors=("400", "402", "404", "409", "422"),
    ),
    Operation(
        "get",
        "/streams/{token}",
        "streams.text",
        "Predictions",
        "Follow a prediction's output",
        {"200": {"type": "string"}},
        _STREAM,
        answer_type="text/event-stream",
        parameters=("Last-Event-ID",),
        errors=("404",),
        needs_token=False,
    ),
    Operation(
        "get",
        "/files/stream/{token}",
        "streams.files",
        "Predictions",
        "Follow the files a prediction makes",
        {"200": {"type": "string"}},
        _STREAM,
        answer_type="text/event-stream",
        parameters=("Last-Event-ID",),
        errors=("404",),
        needs_token=False,
    ),
)
