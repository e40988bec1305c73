"""A prediction as pages show it: one `RunPanel` of facts and words, and the fragments made from it.

The first page and every update by websocket render the same templates from the same panel.
Source: product-ux.md 0.3, 3.3, 4.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone

from billing.models import UsageRecord
from models_catalog.models import Version
from models_catalog.schemas import Document
from runner.models import Prediction
from runner.queueing import waiting_reason
from runner.shown_values import Part, ShownOutput, show_output
from runner.states import FaultClass, Status

_WORDS = {
    Status.STARTING: "Queued",
    Status.PROCESSING: "Running",
    Status.SUCCEEDED: "Succeeded",
    Status.FAILED: "Failed",
    Status.CANCELED: "Canceled",
    Status.ABORTED: "Not started in time",
}
_WHOSE = {
    FaultClass.USER_INPUT: "input error",
    FaultClass.MODEL_ERROR: "model error",
    FaultClass.TIMEOUT: "timed out",
    FaultClass.PLATFORM: "platform fault",
    FaultClass.HOST: "host lost",
    FaultClass.POLICY: "ended by us",
}
_EXPLAINED = {
    FaultClass.USER_INPUT: "The model could not use this input. Change it and run again.",
    FaultClass.MODEL_ERROR: "The model stopped with an error of its own. The logs may say more.",
    FaultClass.TIMEOUT: "The run took longer than this site allows.",
    FaultClass.PLATFORM: "This was our fault, not yours or the model's.",
    FaultClass.HOST: "The machine it ran on went away: our fault, not yours or the model's.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One stretch of a prediction's time; seconds None while it lasts or where it never was."""

    name: str
    at: datetime.datetime | None
    seconds: float | None
    share: int = 0  # percent of the whole, for a bar


@dataclass(frozen=True, slots=True)
class RunPanel:
    """Everything a page says of a prediction. amount_nanos: None until there is a usage record."""

    prediction: Prediction
    output: ShownOutput
    word: str
    reason: str
    explanation: str
    amount_nanos: int | None
    elapsed_seconds: float
    outputs: int  # how far this rendering got, for whoever follows from here
    logs: int
    stage: int

    @property
    def is_over(self) -> bool:
        """It ended."""
        return self.prediction.is_terminal

    @property
    def is_empty(self) -> bool:
        """Is there no output to see?"""
        return not any(part.text or part.url for part in self.output.parts)


def panel_of(prediction: Prediction, schema: Document) -> RunPanel:
    """Reads the usage record of an ended prediction, the queue of a waiting one."""
    word, reason = _words(prediction)
    amount = None
    if prediction.is_terminal:
        records = UsageRecord.objects.filter(subject=f"prediction/{prediction.pk}")
        amounts = list(records.values_list("amount_nanos", flat=True))
        amount = sum(amounts) if amounts else None
    outputs = prediction.output if prediction.is_streamed and isinstance(prediction.output, list) else []
    return RunPanel(
        prediction=prediction,
        output=_output(prediction, schema),
        word=word,
        reason=reason,
        explanation=_EXPLAINED.get(FaultClass(prediction.fault_class), "") if prediction.error else "",
        amount_nanos=amount,
        elapsed_seconds=_elapsed(prediction),
        outputs=len(outputs),
        logs=len(prediction.logs),
        stage=prediction.stage,
    )


def _output(prediction: Prediction, schema: Document) -> ShownOutput:
    if not prediction.is_training:
        return show_output(schema, prediction.output)
    # What a training made is shown whole: its version and weights are no more the model's own output.
    return show_output({}, prediction.output)


def load_panel(prediction_id: str) -> RunPanel | None:
    """The panel by id, None where there is no such prediction. For websockets, which have checked who asks."""
    prediction = Prediction.objects.filter(pk=prediction_id).select_related("version").first()
    return None if prediction is None else panel_of(prediction, prediction.version.openapi_schema)


def load_schema(prediction_id: str) -> Document:
    """The schema document of a prediction's version."""
    return Version.objects.get(predictions=prediction_id).openapi_schema


def steps_of(prediction: Prediction) -> list[Step]:
    """Waiting and running, each with its length.  Source: product-ux.md 4."""
    end = prediction.completed_at
    waited = _between(prediction.created_at, prediction.started_at or end)
    ran = _between(prediction.started_at, end)
    whole = (waited or 0) + (ran or 0) or 1
    return [
        Step("Queued", prediction.created_at, waited, round(100 * (waited or 0) / whole)),
        Step("Started", prediction.started_at, ran, round(100 * (ran or 0) / whole)),
        Step("Ended", end, None),
    ]


def render_status(panel: RunPanel) -> str:
    """The line with state, time and cost."""
    return render_to_string("runner/_status.html", {"panel": panel})


def render_output(panel: RunPanel) -> str:
    """The whole output."""
    return render_to_string("runner/_output.html", {"panel": panel})


def render_verdict(panel: RunPanel) -> str:
    """What went wrong or was stopped, and whether it was charged; empty for a success with output."""
    return render_to_string("runner/_verdict.html", {"panel": panel})


def render_parts(parts: Sequence[Part]) -> str:
    """Items of an iterator's output, to be added to those that are there."""
    return render_to_string("runner/_parts.html", {"parts": parts})


def _words(prediction: Prediction) -> tuple[str, str]:
    word = _WORDS[Status(prediction.status)]
    if prediction.status == Status.STARTING:
        reason = waiting_reason(prediction)
        if reason and reason.code == "booting":
            return "Booting", reason.sentence
        return word, reason.sentence if reason else ""
    if prediction.status == Status.FAILED:
        return word, _WHOSE.get(FaultClass(prediction.fault_class), "")
    return word, ""


def _elapsed(prediction: Prediction) -> float:
    """Seconds since it was created, to its end or to now."""
    return ((prediction.completed_at or timezone.now()) - prediction.created_at).total_seconds()


def _between(start: Any, end: Any) -> float | None:
    return (end - start).total_seconds() if start and end else None
