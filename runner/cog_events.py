"""What a coglet server tells about one prediction, as small frozen values, and how its wire forms are read.

Two wires carry the same facts: the server-sent events of `runner.coglet.Coglet.follow` (one fact each) and webhook
bodies (everything so far).  Both are parsed here and nowhere else; `runner.progress` merges them.
Source: cog-runtime.md 4.4 (error texts), 4.5 (canceling), 4.6 (server-sent events), 4.9 (webhooks).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, cast

import orjson

EndStatus: TypeAlias = Literal["succeeded", "failed", "canceled"]
END_STATUSES = frozenset({"succeeded", "failed", "canceled"})

_ERROR_PREFIXES = (
    "Prediction failed: ",
    "Async prediction failed: ",
    "Generator iteration error: ",
    "Training failed: ",
)
# The second one comes when the worker died a moment before it was given the prediction.
_LOST_WORKER = ("Worker crashed", "Failed to send request: Failed to send on slot socket")


class BadEvent(ValueError):
    """A body that is not what coglet sends."""


@dataclass(frozen=True, slots=True)
class Started:
    """A stream begins, always at the prediction's first event."""

    prediction_id: str


@dataclass(frozen=True, slots=True)
class Output:
    """One item of an array output. index: its place, from 0."""

    index: int
    value: Any


@dataclass(frozen=True, slots=True)
class Log:
    """The next piece of log text in this stream. source: `stdout` or `stderr`."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One raw call of `record_metric`, not the accumulated value. mode: `replace`, `increment` or `append`."""

    name: str
    value: Any
    mode: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that was there when a webhook was sent. output: the items so far, also for a single output."""

    output: list[Any]
    logs: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Completed:
    """The end. error: coglet's raw text, only when failed. metrics: with `predict_time` in seconds."""

    status: EndStatus
    output: Any = None
    error: str | None = None
    logs: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """The stream ended too early: history dropped, reader too slow, connection lost. The prediction goes on."""

    reason: str


CogEvent: TypeAlias = Started | Output | Log | Metric | Snapshot | Completed | Broken


def parse_webhook(body: bytes) -> tuple[str, Snapshot | Completed]:
    """The prediction's id and what a webhook body says of it.  Raises BadEvent.  Source: cog-runtime.md 4.9."""
    document = _object(body)
    prediction_id = document.get("id")
    if not isinstance(prediction_id, str):
        raise BadEvent("a webhook body needs an id")
    if document.get("status") in END_STATUSES:
        return prediction_id, _completed(document)
    output = document.get("output")
    items = output if isinstance(output, list) else []
    return prediction_id, Snapshot(items, _text(document.get("logs")), _mapping(document.get("metrics")))


def parse_sse(name: str, data: bytes) -> CogEvent | None:
    """One server-sent event; None for a name we do not know.  Raises BadEvent.  Source: cog-runtime.md 4.6."""
    document = _object(data)
    try:
        match name:
            case "start":
                return Started(document["id"])
            case "output":
                return Output(int(document["index"]), document["chunk"])
            case "log":
                return Log(_text(document["data"]), _text(document.get("source")))
            case "metric":
                return Metric(document["name"], document["value"], document["mode"])
            case "completed":
                return _completed(document)
            case "error":
                return Broken(_text(document.get("error")) or "the server gave up the stream")
    except (KeyError, TypeError, ValueError) as error:
        raise BadEvent(f"event {name}: {error!r}") from error
    return None


def clean_error(error: str) -> str:
    """The exception's type and message without the framework's prefixes.  Source: cog-runtime.md 4.4, checklist 38."""
    while True:
        for prefix in _ERROR_PREFIXES:
            if error.startswith(prefix):
                error = error[len(prefix) :]
                break
        else:
            return error


def is_lost_worker(completed: Completed) -> bool:
    """Did it fail because the process that ran the model died? A model's own exception starts with its type."""
    return completed.status == "failed" and (completed.error or "").startswith(_LOST_WORKER)


def settle_cancel(completed: Completed, *, cancel_requested: bool) -> Completed:
    """An early cancel often shows as a failure with coglet's own exception; call it what it is: canceled.

    Source: cog-runtime.md 4.5, checklist 44.
    """
    was_our_cancel = (
        cancel_requested and completed.status == "failed" and "CancelationException" in (completed.error or "")
    )
    return replace(completed, status="canceled", error=None) if was_our_cancel else completed


def _completed(document: Mapping[str, Any]) -> Completed:
    status = document.get("status")
    if status not in END_STATUSES:
        raise BadEvent(f"not an end: {status!r}")
    return Completed(
        status=cast(EndStatus, status),
        output=document.get("output"),
        error=_text(document.get("error")) or None,
        logs=_text(document.get("logs")),
        metrics=_mapping(document.get("metrics")),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadEvent(str(error)) from error
    if not isinstance(document, dict):
        raise BadEvent("expected a JSON object")
    return document


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
