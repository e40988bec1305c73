"""Predictions and trainings as the world sees them: one document each for API, webhooks, examples and pages.

Source: replicate-api.md 2.2, 2.10.
"""

import datetime
from typing import Any

from django.conf import settings

from marketplace.lib.timestamps import timestamp
from runner.models import Prediction
from runner.states import Status
from runner.streams import Ended


def document_of(run: Prediction) -> dict[str, Any]:
    """The document of its kind."""
    return training_document(run) if run.is_training else prediction_document(run)


def prediction_document(prediction: Prediction) -> dict[str, Any]:
    """Needs no other row than the prediction's own."""
    shown = prediction.status
    if shown == Status.ABORTED and settings.REPORT_ABORTED_AS_CANCELED:
        shown = Status.CANCELED
    document: dict[str, Any] = {
        "id": prediction.pk,
        "model": prediction.model_name,
        "version": prediction.version_label,
        "input": prediction.input,
        "output": prediction.output,
        "logs": prediction.logs,
        "error": prediction.error,
        "status": str(shown),
        "source": prediction.source,
        "data_removed": prediction.data_removed,
        "created_at": timestamp(prediction.created_at),
        "started_at": timestamp(prediction.started_at) if prediction.started_at else None,
        "completed_at": timestamp(prediction.completed_at) if prediction.completed_at else None,
        "metrics": prediction.metrics if prediction.is_terminal else {},
        "urls": prediction_urls(prediction),
    }
    if prediction.deployment_name:
        document["deployment"] = prediction.deployment_name
    if prediction.deadline:
        document["deadline"] = timestamp(prediction.deadline)
    if prediction.webhook and not prediction.is_webhook_legacy:
        document["webhook"] = prediction.webhook
        if prediction.webhook_events is not None:
            document["webhook_events_filter"] = prediction.webhook_events
    if prediction.batch_id:
        document["batch"] = prediction.batch_id
    if prediction.rerun_of:
        document["rerun_of"] = prediction.rerun_of
    if prediction.tags:
        document["tags"] = prediction.tags
    return document


def training_document(training: Prediction) -> dict[str, Any]:
    """As a prediction, without what only predictions have. `output` is null until it succeeded."""
    document = prediction_document(training)
    del document["data_removed"]
    document.pop("deadline", None)
    if training.status != Status.SUCCEEDED:
        document["output"] = None
    return document


def created_document(prediction: Prediction) -> dict[str, Any]:
    """The answer to a creation that was not waited for: always `starting`, whatever happened since.

    Source: replicate-api.md 2.3, 3.5.
    """
    return {
        **document_of(prediction),
        "status": str(Status.STARTING),
        "output": [] if prediction.is_streamed else None,
        "logs": "",
        "error": None,
        "started_at": None,
        "completed_at": None,
        "metrics": {},
    }


def ended_document(prediction: Prediction, seen: Ended) -> dict[str, Any] | None:
    """The end of a prediction that was just created, from its events; None where only the row knows all of it."""
    if seen.logs is None:
        return None
    ended = seen.event.ended
    prediction.status, prediction.logs = Status(seen.event.status), seen.logs
    prediction.output = seen.outputs if prediction.is_streamed else ended["output"]
    prediction.error, prediction.metrics = ended["error"], ended["metrics"]
    prediction.started_at = _moment(ended["started_at"])
    prediction.completed_at = _moment(ended["completed_at"])
    return prediction_document(prediction)


def _moment(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text) if text else None


def prediction_urls(prediction: Prediction) -> dict[str, str]:
    """`get`, `cancel`, `web`, and `stream` for iterators. Absent members are left out."""
    kind = "trainings" if prediction.is_training else "predictions"
    api = f"{settings.PUBLIC_URL}/v1/{kind}/{prediction.pk}"
    urls = {"get": api, "cancel": f"{api}/cancel", "web": f"{settings.PUBLIC_URL}/p/{prediction.pk}"}
    if prediction.stream_token and not prediction.data_removed:
        urls["stream"] = f"{settings.PUBLIC_URL}{stream_path(prediction)}"
    return urls


def stream_path(prediction: Prediction) -> str:
    """Text under /v1/streams/, files under /v1/files/stream/: one client tells them apart by it.  Source: 4.1."""
    return f"/v1/{'files/stream' if prediction.streams_files else 'streams'}/{prediction.stream_token}"
