"""Trainings.  Source: replicate-api.md 2.10."""

from typing import Any

from marketplace.openapi.examples import page_example
from marketplace.openapi.operation import MODEL_PATH, Link, Operation
from marketplace.openapi.schemas import ref

_SITE = "https://models.example.test"
_ID = "jt97kb6cq643dzvmxxqkfbf5kz"
_INPUT = {"text": f"{_SITE}/v1/files/3fd4wqe6bz8y7c2n5g9k0r1t2v"}
_EXAMPLE: dict[str, Any] = {
    "id": _ID,
    "model": "nina/tiny-lm",
    "version": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
    "input": _INPUT,
    "output": {
        "version": "nina/my-tone:2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6",
        "weights": f"{_SITE}/files/8k2q3d25vt4f5v37e3s3e28m9s/1c6b0f5a4d3e2c1b0a99887766554433/output.bin",
        "perplexity": 84.1,
    },
    "logs": "step 100/100\n",
    "error": None,
    "status": "succeeded",
    "source": "api",
    "created_at": "2026-01-02T03:00:00.000000Z",
    "started_at": "2026-01-02T03:00:41.000000Z",
    "completed_at": "2026-01-02T03:12:41.500000Z",
    "metrics": {"predict_time": 720.5, "total_time": 761.5},
    "urls": {
        "get": f"{_SITE}/v1/trainings/{_ID}",
        "cancel": f"{_SITE}/v1/trainings/{_ID}/cancel",
        "web": f"{_SITE}/p/{_ID}",
    },
}
_CANCELED = {**_EXAMPLE, "output": None, "status": "canceled"}
_STARTING = {
    **_EXAMPLE,
    "output": None,
    "logs": "",
    "status": "starting",
    "started_at": None,
    "completed_at": None,
    "metrics": {},
}

_OF_TRAINING = {"training_id": "$response.body#/id"}
_NEXT = (Link("trainings.get", _OF_TRAINING), Link("trainings.cancel", _OF_TRAINING))

OPERATIONS = (
    Operation(
        "post",
        f"{MODEL_PATH}/versions/{{version_id}}/trainings",
        "trainings.create",
        "Trainings",
        "Train a model",
        {"201": ref("Training")},
        "Runs the version's training. Its success makes a private version of the destination, which must be a model of "
        "yours: the same code with the weights that were learned. Trainings have no time limit, unless the operator "
        "sets one, and are kept.",
        body=ref("NewTraining"),
        body_example={"destination": "nina/my-tone", "input": _INPUT},
        answer_example=_STARTING,
        parameters=("Idempotency-Key",),
        headers=("Location",),
        links=_NEXT,
        errors=("400", "402", "404", "409", "422"),
    ),
    Operation(
        "get",
        "/trainings",
        "trainings.list",
        "Trainings",
        "List trainings",
        {"200": ref("TrainingPage")},
        "All of the account, newest first, 100 a page. They are not among the predictions.",
        answer_example=page_example(_EXAMPLE),
        links=(Link("trainings.get", {"training_id": "$response.body#/results/0/id"}),),
        parameters=("cursor",),
    ),
    Operation(
        "get",
        "/trainings/{training_id}",
        "trainings.get",
        "Trainings",
        "Get a training",
        {"200": ref("Training")},
        answer_example=_EXAMPLE,
        errors=("404",),
    ),
    Operation(
        "post",
        "/trainings/{training_id}/cancel",
        "trainings.cancel",
        "Trainings",
        "Cancel a training",
        {"200": ref("Training")},
        "Answers with the training ended; one that had ended stays as it is.",
        answer_example=_CANCELED,
        errors=("404",),
    ),
)
