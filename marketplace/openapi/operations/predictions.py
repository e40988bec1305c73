"""Predictions and their streams.  Source: replicate-api.md 2.3, 2.4, 4."""

from typing import Any

from marketplace.openapi.examples import (
    BILLED_PREDICTION,
    CANCELED_PREDICTION,
    NEW_PREDICTION,
    PREDICTION_EXAMPLE,
    QUOTE_EXAMPLE,
    STREAM_EXAMPLE,
    page_example,
)
from marketplace.openapi.operation import MODEL_PATH, Link, Operation
from marketplace.openapi.schemas import ref

_CREATED: dict[str, dict[str, Any] | None] = {"201": ref("Prediction"), "202": ref("Prediction")}
_QUOTED = (("200", ref("Quote"), QUOTE_EXAMPLE),)
_WAITING = ("Prefer", "Cancel-After", "Idempotency-Key")
_OF_CREATED = ("Location", "Preference-Applied")
_OF_PREDICTION = {"prediction_id": "$response.body#/id"}
_NEXT = (Link("predictions.get", _OF_PREDICTION), Link("predictions.cancel", _OF_PREDICTION))
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
        answer_example=NEW_PREDICTION,
        parameters=_WAITING,
        also=_QUOTED,
        headers=_OF_CREATED,
        links=_NEXT,
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
        answer_example=page_example(BILLED_PREDICTION),
        links=(Link("predictions.get", {"prediction_id": "$response.body#/results/0/id"}),),
        parameters=("created_after", "created_before", "source", "status", "model", "deployment", "tag", "cursor"),
        errors=("400",),
    ),
    Operation(
        "get",
        "/predictions/{prediction_id}",
        "predictions.get",
        "Predictions",
        "Get a prediction",
        {"200": ref("Prediction")},
        "Of one that waits also `queue`, an extension: its place, why it waits, when it may start; of one that has "
        "ended `billing`: what it cost and why.",
        answer_example=BILLED_PREDICTION,
        links=(Link("predictions.cancel", _OF_PREDICTION),),
        errors=("404",),
    ),
    Operation(
        "patch",
        "/predictions/{prediction_id}",
        "predictions.update",
        "Predictions",
        "Change a prediction's tags",
        {"200": ref("Prediction")},
        "Extension: replaces all tags; an empty list removes them.",
        body=ref("PredictionChanges"),
        body_example={"tags": ["nightly", "customer-7"]},
        answer_example={**PREDICTION_EXAMPLE, "tags": ["nightly", "customer-7"]},
        errors=("404", "422"),
    ),
    Operation(
        "post",
        "/predictions/{prediction_id}/cancel",
        "predictions.cancel",
        "Predictions",
        "Cancel a prediction",
        {"200": ref("Prediction")},
        "Answers with the prediction ended; one that had ended stays as it is.",
        answer_example=CANCELED_PREDICTION,
        links=(Link("predictions.get", _OF_PREDICTION),),
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
        answer_example={**NEW_PREDICTION, "version": "hidden"},
        parameters=_WAITING,
        also=_QUOTED,
        headers=_OF_CREATED,
        links=_NEXT,
        errors=("400", "402", "404", "409", "422"),
    ),
    Operation(
        "post",
        "/predictions/{prediction_id}/rerun",
        "predictions.rerun",
        "Predictions",
        "Run a prediction again",
        _CREATED,
        "Extension: the same version with the same input, but for the changes that are given. The new prediction names "
        "the old one in `rerun_of`.",
        body=ref("Rerun"),
        body_example={"input": {"text": "hello again"}},
        answer_example={
            **NEW_PREDICTION,
            "id": "x2r346q3d25vt4f5v37e3s3e28",
            "input": {"text": "hello again"},
            "rerun_of": NEW_PREDICTION["id"],
        },
        parameters=_WAITING,
        also=_QUOTED,
        headers=_OF_CREATED,
        links=_NEXT,
        errors=("400", "402", "404", "409", "410", "422"),
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
        answer_example=STREAM_EXAMPLE,
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
        answer_example=STREAM_EXAMPLE,
        parameters=("Last-Event-ID",),
        errors=("404",),
        needs_token=False,
    ),
)
