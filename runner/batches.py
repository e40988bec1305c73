"""Batches: many predictions of one version made by one call, all or none. An extension of the wire contract.

Its predictions are like any others and wait in the fair order like any others. `batch_ends` ends a batch.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum

from accounts.access import Caller
from billing import spending
from marketplace.lib import wakeups
from marketplace.lib.json_types import wrong_type
from marketplace.lib.problems import InputInvalid, InvalidField, NotFound, Throttled
from models_catalog.lookup import VersionFacts
from runner import creation_requests, event_log, lifecycle, predictions, quotes, tags
from runner.event_log import NewEvent
from runner.lifecycle import Outcome
from runner.models import Batch, Prediction
from runner.predictions import NewPrediction
from runner.states import TERMINAL, FaultClass, Status

MOST_INPUTS = 1000
_RETRY_SECONDS = 30
_MEMBERS = {
    "version": (str, "string"),
    "inputs": (list, "array"),
    "webhook": (str, "string"),
    "tags": (list, "array"),
    "dry_run": (bool, "boolean"),
}


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What a caller asks for, its shape already checked."""

    version: str
    inputs: list[dict[str, Any]]
    webhook: str = ""
    tags: list[str] = field(default_factory=list)
    is_dry_run: bool = False


def parse_body(body: Mapping[str, Any]) -> NewBatch:
    """Check the members. Raises InputInvalid with all violations."""
    problems = creation_requests.member_problems(body, _MEMBERS, ["version", "inputs"])
    inputs = body.get("inputs")
    if isinstance(inputs, list):
        problems += _problems_of_list(inputs)
    if problems:
        raise InputInvalid(problems)
    return NewBatch(
        version=body["version"],
        inputs=body["inputs"],
        webhook=body.get("webhook") or "",
        tags=tags.unique(body.get("tags") or []),
        is_dry_run=bool(body.get("dry_run")),
    )


def _problems_of_list(inputs: Sequence[Any]) -> list[InvalidField]:
    if not inputs:
        return [InvalidField("array_min_items", "inputs", "Array must have at least 1 items")]
    if len(inputs) > MOST_INPUTS:
        return [InvalidField("array_max_items", "inputs", f"Array must have at most {MOST_INPUTS} items")]
    return [
        InvalidField("invalid_type", f"inputs.{index}", wrong_type("object", value))
        for index, value in enumerate(inputs)
        if not isinstance(value, dict)
    ]


def create(caller: Caller, facts: VersionFacts, new: NewBatch, *, by_name: bool, now: datetime.datetime) -> Batch:
    """Accept all inputs and wake the runners, or accept none.

    by_name: an official model was called by its name. Raises InputInvalid with the violations of every input, fields
    `inputs.<index>.…`; Throttled where too much of the account waits already; MayNotSpend where not all of it
    can be paid; else as `predictions.prepare`.
    """
    rows = _prepare_all(caller, facts, new, by_name=by_name, now=now)
    _ensure_room(caller, len(rows))
    batch = Batch(
        account_id=caller.account_id,
        model_name=rows[0].model_name,
        version_label=rows[0].version_label,
        total=len(rows),
        webhook=new.webhook,
        tags=new.tags,
    )
    for index, row in enumerate(rows):
        row.batch, row.batch_index = batch, index
    with transaction.atomic():
        batch.save(force_insert=True)
        told = {"model": batch.model_name, "version": batch.version_label, "total": batch.total}
        event_log.record_many([NewEvent(batch.account_id, "batch.created", f"batch/{batch.pk}", told)])
        lifecycle.insert_all(rows)
        wakeups.send_after_commit(wakeups.RUNNERS, {"type": "work"})
    return batch


def quote(
    caller: Caller, facts: VersionFacts, new: NewBatch, *, by_name: bool, now: datetime.datetime
) -> dict[str, Any]:
    """What a batch may be expected to take and cost; it is judged as by `create`, but for credit and room."""
    rows = _prepare_all(caller, facts, new, by_name=by_name, now=now)
    return quotes.quote_of_many(rows[0], len(rows))


def _ensure_room(caller: Caller, inputs: int) -> None:
    """A batch counts as one call, so what counts here is how much of its kind an account has in the queue at once."""
    is_low = spending.current_standing(caller.account_id).is_low
    most = settings.RATE_LIMIT_LOW_CREDIT_PER_MINUTE if is_low else settings.BATCH_INPUTS_AT_ONCE
    unfinished = list_batches(caller).filter(completed_at=None).aggregate(inputs=Sum("total", default=0))["inputs"]
    if unfinished + inputs > most:
        why = f"Your unfinished batches may have {most} inputs together; they have {unfinished}."
        raise Throttled(_RETRY_SECONDS, why)


def _prepare_all(
    caller: Caller, facts: VersionFacts, new: NewBatch, *, by_name: bool, now: datetime.datetime
) -> list[Prediction]:
    rows: list[Prediction] = []
    invalid: list[InvalidField] = []
    for index, value in enumerate(new.inputs):
        wanted = NewPrediction(input=value, by_name=by_name, tags=new.tags, is_dry_run=new.is_dry_run)
        in_order = now + datetime.timedelta(microseconds=index)  # the queue goes by the time of creation
        try:
            rows.append(predictions.prepare(caller, facts, wanted, now=in_order))
        except InputInvalid as problem:
            invalid += [_of_input(index, wrong) for wrong in problem.fields]
    if invalid:
        raise InputInvalid(invalid)
    return rows


def _of_input(index: int, wrong: InvalidField) -> InvalidField:
    """The violation of one input, with its place in the batch: `input.width` becomes `inputs.3.width`."""
    return InvalidField(wrong.type, f"inputs.{index}{wrong.field.removeprefix('input')}", wrong.description)


def list_batches(caller: Caller) -> QuerySet[Batch]:
    """The account's."""
    return Batch.objects.filter(account_id=caller.account_id)


def get_batch(caller: Caller, batch_id: str) -> Batch:
    """One of the account's. Raises NotFound, for other people's too."""
    batch = list_batches(caller).filter(pk=batch_id).first()
    if batch is None:
        raise NotFound
    return batch


def predictions_of(batch: Batch) -> QuerySet[Prediction]:
    """Its predictions."""
    return Prediction.objects.filter(batch=batch)


def cancel(caller: Caller, batch_id: str) -> Batch:
    """End all of it that has not ended; runners stop the models. Of an ended one nothing changes. Raises NotFound."""
    batch = get_batch(caller, batch_id)
    if not batch.completed_at:
        told = {"total": batch.total}
        event_log.record_many([NewEvent(batch.account_id, "batch.cancel_requested", f"batch/{batch.pk}", told)])
        unfinished = predictions_of(batch).exclude(status__in=sorted(TERMINAL))
        _cancel_at_once(unfinished)
        # What others were just writing: one by one, for who holds many rows and waits for more may wait in a circle.
        for prediction_id in list(unfinished.values_list("pk", flat=True)):
            predictions.end_canceled(prediction_id)
    return get_batch(caller, batch_id)


def _cancel_at_once(unfinished: QuerySet[Prediction]) -> None:
    """End in one transaction all that nobody else is writing at this moment."""
    with transaction.atomic():
        free = list(unfinished.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
        outcomes = [
            Outcome(pk, None, Status.CANCELED, fault_class=FaultClass.USER_CANCEL, keep_output=True) for pk in free
        ]
        for row in lifecycle.end_many(outcomes) if outcomes else []:
            if row and row.started_at:  # only a model that is at work must be stopped
                wakeups.send_after_commit(wakeups.RUNNERS, {"type": "cancel", "id": row.pk})
