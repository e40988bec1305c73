"""What can be called: one `Operation` for each method of each path of `marketplace.api`.

Source: replicate-api.md 2.
"""

from dataclasses import dataclass
from typing import Any

from marketplace.openapi.schemas import array, ref

JSON = "application/json"
_PREDICTION_EXAMPLE = {
    "id": "m9s346q3d25vt4f5v37e3s3e28",
    "model": "nina/echo",
    "version": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    "input": {"text": "hi there"},
    "output": "HI THERE",
    "logs": "shouting\n",
    "error": None,
    "status": "succeeded",
    "source": "api",
    "data_removed": False,
    "created_at": "2026-01-02T03:04:05.678901Z",
    "started_at": "2026-01-02T03:04:05.801240Z",
    "completed_at": "2026-01-02T03:04:06.950007Z",
    "metrics": {"predict_time": 1.148767, "total_time": 1.271106},
    "urls": {
        "get": "https://models.example.test/v1/predictions/m9s346q3d25vt4f5v37e3s3e28",
        "cancel": "https://models.example.test/v1/predictions/m9s346q3d25vt4f5v37e3s3e28/cancel",
        "web": "https://models.example.test/p/m9s346q3d25vt4f5v37e3s3e28",
    },
}


@dataclass(frozen=True, slots=True)
class Operation:
    """answer: schema of the body by status (None: no body). parameters: names in the query or header, see document."""

    method: str
    path: str  # below /v1
    id: str
    tag: str
    summary: str
    answer: dict[str, dict[str, Any] | None]
    description: str = ""
    body: dict[str, Any] | None = None
    body_type: str = JSON
    body_example: Any = None
    answer_type: str = JSON
    answer_example: Any = None
    parameters: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    needs_token: bool = True


_MODEL = "/models/{owner}/{name}"
_CREATED: dict[str, dict[str, Any] | None] = {"201": ref("Prediction"), "202": ref("Prediction")}
_WAITING = ("Prefer", "Cancel-After")
_STREAM = (
    "The address comes with the prediction as `urls.stream`; its token is all that is needed. Events: `output` "
    "for each item, `error` when it failed, `done` at the end. Who comes back sends `Last-Event-ID`."
)

OPERATIONS: tuple[Operation, ...] = (
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
        body_example={"version": _PREDICTION_EXAMPLE["version"], "input": {"text": "hi there"}},
        answer_example=_PREDICTION_EXAMPLE,
        parameters=_WAITING,
        errors=("400", "402", "422"),
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
        answer_example=_PREDICTION_EXAMPLE,
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
        f"{_MODEL}/predictions",
        "models.predictions.create",
        "Predictions",
        "Run an official model by its name",
        _CREATED,
        body=ref("NewOfficialPrediction"),
        body_example={"input": {"text": "hi there"}},
        parameters=_WAITING,
        errors=("400", "402", "404", "422"),
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
    Operation(
        "get",
        "/models",
        "models.list",
        "Models",
        "List public models",
        {"200": ref("ModelPage")},
        parameters=("sort_by", "sort_direction", "cursor"),
        errors=("400",),
    ),
    Operation(
        "post",
        "/models",
        "models.create",
        "Models",
        "Create a model",
        {"201": ref("Model")},
        body=ref("NewModel"),
        body_example={"owner": "nina", "name": "echo", "visibility": "public", "hardware": "cpu"},
        errors=("400", "403", "409"),
    ),
    Operation("get", _MODEL, "models.get", "Models", "Get a model", {"200": ref("Model")}, errors=("404",)),
    Operation(
        "patch",
        _MODEL,
        "models.update",
        "Models",
        "Change a model's texts and links",
        {"200": ref("Model")},
        body=ref("ModelChanges"),
        body_example={"description": "Repeats text loudly"},
        errors=("400", "403", "404"),
    ),
    Operation(
        "get",
        f"{_MODEL}/readme",
        "models.readme.get",
        "Models",
        "Get a model's readme",
        {"200": {"type": "string"}},
        "Markdown, as written.",
        answer_type="text/plain",
        errors=("404",),
    ),
    Operation(
        "get",
        f"{_MODEL}/examples",
        "models.examples.list",
        "Models",
        "List a model's examples",
        {"200": ref("PredictionPage")},
        parameters=("cursor",),
        errors=("404",),
    ),
    Operation(
        "get",
        f"{_MODEL}/versions",
        "models.versions.list",
        "Versions",
        "List a model's versions",
        {"200": ref("VersionPage")},
        "Newest first. Those of official models are not listed.",
        parameters=("cursor",),
        errors=("404",),
    ),
    Operation(
        "post",
        f"{_MODEL}/versions",
        "models.versions.create",
        "Versions",
        "Submit a version",
        {"201": ref("SubmittedVersion")},
        "A zip or tar.gz of a folder with a `cog.yaml`, as the body or a form's part `archive`. It is built next.",
        body={"type": "string", "format": "binary"},
        body_type="application/gzip",
        errors=("400", "403", "404", "413", "422"),
    ),
    Operation(
        "get",
        f"{_MODEL}/versions/{{version_id}}",
        "models.versions.get",
        "Versions",
        "Get a version",
        {"200": ref("Version")},
        errors=("404",),
    ),
    Operation(
        "get",
        f"{_MODEL}/versions/{{version_id}}/build",
        "models.versions.build.get",
        "Versions",
        "Get a version's build",
        {"200": ref("Build")},
        "For the model's owner: status, error and log.",
        errors=("403", "404"),
    ),
    Operation(
        "get",
        "/collections",
        "collections.list",
        "Collections",
        "List collections",
        {"200": ref("CollectionPage")},
    ),
    Operation(
        "get",
        "/collections/{slug}",
        "collections.get",
        "Collections",
        "Get a collection with its models",
        {"200": ref("CollectionWithModels")},
        errors=("404",),
    ),
    Operation(
        "get",
        "/hardware",
        "hardware.list",
        "Hardware",
        "List hardware",
        {"200": array(ref("Hardware"))},
        answer_example=[{"sku": "cpu", "name": "CPU"}],
    ),
    Operation(
        "get",
        "/files",
        "files.list",
        "Files",
        "List files",
        {"200": ref("FilePage")},
        parameters=("cursor",),
    ),
    Operation(
        "post",
        "/files",
        "files.create",
        "Files",
        "Upload a file",
        {"201": ref("File")},
        "Kept for a day. Put its `urls.get` into an input, and the model gets the content.",
        body=ref("NewFile"),
        body_type="multipart/form-data",
        errors=("400", "413"),
    ),
    Operation(
        "get", "/files/{file_id}", "files.get", "Files", "Describe a file", {"200": ref("File")}, errors=("404",)
    ),
    Operation("delete", "/files/{file_id}", "files.delete", "Files", "Delete a file", {"204": None}, errors=("404",)),
    Operation(
        "get",
        "/files/{file_id}/download",
        "files.download",
        "Files",
        "Download a file by a signed link",
        {"200": {"type": "string", "format": "binary"}},
        answer_type="application/octet-stream",
        parameters=("owner", "expiry", "signature"),
        errors=("404",),
        needs_token=False,
    ),
    Operation("get", "/account", "account.get", "Account", "Get the token's account", {"200": ref("Account")}),
    Operation(
        "get",
        "/webhooks/default/secret",
        "webhooks.default.secret.get",
        "Account",
        "Get the secret that signs webhooks",
        {"200": ref("WebhookSecret")},
        "Webhooks are signed as Standard Webhooks says: webhook-id, webhook-timestamp, webhook-signature.",
    ),
)

# OpenAPI 3.0 has no place for the method QUERY; the reference shows it beside the others.
SEARCH = Operation(
    "query",
    "/models",
    "models.search",
    "Models",
    "Search public models",
    {"200": ref("ModelPage")},
    "The body is the text to look for. At most 25 models, best first.",
    body={"type": "string"},
    body_type="text/plain",
    body_example="text to speech",
)
