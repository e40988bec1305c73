"""The only writer of a prediction's state. Every move is conditional in the database, so that one writer wins, and is
told to the event log in the same statement or transaction.

Flow: insert_many (starting) → claim_many (processing) → save_progress … → end_many (terminal, with its usage record and
outbox rows in the same transaction). `requeue` goes back after a platform fault. All are sync and set-based; async code
calls them through `dbthreads` or a `GroupCommit`.
"""

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat

from billing import holds, metering
from billing.metering import PredictionUsage
from billing.prices import price_by_id, prices_by_id
from marketplace.lib.ids import new_id
from marketplace.lib.problems import Problem
from models_catalog.models import Version
from runner import batch_ends, costs, event_log, webhooks
from runner.models import Prediction
from runner.states import TERMINAL, FaultClass, Status
from runner.storable import clean_json, clean_text

MAX_TRIES = 3  # the first and two more after platform faults
_REQUEUED = "[modelyard] The instance was lost; trying again.\n"
_HOST_LOST = "its host went away"
_MICROSECOND = datetime.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Claim:
    """One try: the token that entitles to write the prediction's results."""

    prediction_id: str
    instance_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a prediction ended. `claim` None: whoever has it, or nobody (a cancel, a deadline, a queue limit)."""

    prediction_id: str
    claim: str | None
    status: str
    output: Any = None
    logs: str | None = None  # None: keep what the row has
    error: str | None = None
    metrics: dict[str, Any] | None = None
    predict_us: int | None = None  # charged and shown; None: from the row's started_at to now
    fault_class: str = FaultClass.NONE
    keep_output: bool = False  # True: the row's output stays, `output` is not looked at
    only_from: str | None = None  # the move holds only from this status: `aborted` never ends what runs
    doubt: str = ""  # why `predict_us` is not believed: then nothing is charged until somebody has looked
    cause: str | None = None  # for the event log, in our words, where status and fault class don't say it


def insert_many(predictions: Sequence[Prediction]) -> list[Prediction | Problem]:
    """Write new predictions, in order, with what is held for them. Their webhook rows come with later moves.

    In the place of each whose account may not spend stands its 402, and nothing of it is written.
    """
    with transaction.atomic():
        refused = holds.place_many(costs.hold_requests(predictions))
        accepted = [prediction for prediction in predictions if costs.subject_of(prediction) not in refused]
        Prediction.objects.bulk_create(accepted)
        event_log.record_many([event_log.created(prediction) for prediction in accepted])
    return [refused.get(costs.subject_of(prediction), prediction) for prediction in predictions]


def insert_all(predictions: Sequence[Prediction]) -> list[Prediction]:
    """Write all of them or none. Raises the first one's 402 where not all may be paid."""
    with transaction.atomic():
        written: list[Prediction] = []
        for result in insert_many(predictions):
            if isinstance(result, Problem):
                raise result
            written.append(result)
    return written


def new_claim(prediction_id: str, instance_id: str) -> Claim:
    """A claim that no other try has."""
    return Claim(prediction_id, instance_id, new_id())


def claim_many(claims: Sequence[Claim]) -> list[Prediction | None]:
    """Take queued predictions for instances that wait for them: `starting` → `processing`.

    One result for each claim: the prediction with its version, or None where somebody else was quicker or it ended.
    A claim that is lost in a crash of the database is taken again, so it need not be durable when acknowledged.
    """
    if not claims:
        return []
    with transaction.atomic():
        claimed = Prediction.objects.raw(
            """
            WITH moved AS (
            UPDATE runner_prediction AS p
               SET status = 'processing', started_at = clock_timestamp(), claim = v.token, instance_id = v.instance,
                   tries = tries + 1
              FROM unnest(%s::text[], %s::text[], %s::text[]) AS v(id, token, instance),
                   set_config('synchronous_commit', 'off', true)
             WHERE p.id = v.id AND p.id IN (
                   SELECT id FROM runner_prediction
                    WHERE id = ANY(%s::text[]) AND status = 'starting' AND claim = ''
                      FOR UPDATE SKIP LOCKED)
         RETURNING p.*
            ), logged AS (
            INSERT INTO runner_loggedevent (account_id, type, subject, data)
            SELECT m.account_id, m.kind || '.started', m.kind || '/' || m.id,
                   jsonb_build_object('instance', i.id, 'host', h.name, 'try', m.tries)
              FROM moved m LEFT JOIN runner_instance i ON i.id = m.instance_id
                   LEFT JOIN runner_host h ON h.id = i.host_id
            ) SELECT * FROM moved
            """,
            [
                [c.prediction_id for c in claims],
                [c.token for c in claims],
                [c.instance_id for c in claims],
                [c.prediction_id for c in claims],
            ],
        )
        rows = {p.pk: p for p in claimed}
        for row in rows.values():
            row.version = _version(row.version_id)
        webhooks.enqueue_many([(row, "start") for row in rows.values()])
    return [rows.get(claim.prediction_id) for claim in claims]


def save_progress(
    prediction_id: str, claim: str, *, outputs: list[Any] | None, logs: str, has_webhook: bool = False
) -> bool:
    """Write partial output (None: no iterator) and logs of a running prediction. False: the claim is no longer good.

    Called at most every 500 ms, so what is told by webhook here is throttled too (replicate-api.md 5.1). Not durable
    when it returns: what is lost is at most a moment of progress, never an outcome.
    """
    changes: dict[str, Any] = {"logs": clean_text(logs)}
    if outputs is not None:
        changes["output"] = clean_json(outputs)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        running = Prediction.objects.filter(pk=prediction_id, claim=claim, status=Status.PROCESSING)
        before = running.first() if has_webhook else None
        if not running.update(**changes):
            return False
        if before:
            _tell_of_progress(before, running.get())
    return True


def _tell_of_progress(before: Prediction, after: Prediction) -> None:
    """One message for what grew; `output` stands for both."""
    if after.output != before.output and webhooks.wants(after, "output"):
        webhooks.enqueue_many([(after, "output")])
    elif len(after.logs) > len(before.logs) and webhooks.wants(after, "logs"):
        webhooks.enqueue_many([(after, "logs")])


def end_many(outcomes: Sequence[Outcome]) -> list[Prediction | None]:
    """End predictions: terminal state, usage record and webhook rows in one transaction.

    One result for each outcome: the ended prediction, or None where it had ended before or the claim was another's.
    Source: design.md, "A prediction's way", 6; billing.md 7.1.
    """
    first_of: dict[str, Outcome] = {}
    for outcome in outcomes:
        first_of.setdefault(outcome.prediction_id, outcome)
    with transaction.atomic():
        rows = {p.pk: p for p in _write_ends(list(first_of.values()))}
        metering.record_many([_usage(row, first_of[pk]) for pk, row in rows.items()])
        webhooks.enqueue_many([(row, "completed") for row in rows.values()])
        batch_ends.close_batches_of(rows.values())
    return [rows.get(o.prediction_id) if first_of[o.prediction_id] is o else None for o in outcomes]


def _write_ends(outcomes: Sequence[Outcome]) -> list[Prediction]:
    rows = [
        {
            **asdict(outcome),
            "output": clean_json(outcome.output),
            "logs": None if outcome.logs is None else clean_text(outcome.logs),
            "error": None if outcome.error is None else clean_text(outcome.error),
            "metrics": clean_json(outcome.metrics or {}),
        }
        for outcome in outcomes
    ]
    ended = Prediction.objects.raw(
        """
        WITH moved AS (
        UPDATE runner_prediction AS p
           SET status = v.status, completed_at = clock.now, error = v.error, fault_class = v.fault_class,
               output = CASE WHEN v.keep_output THEN p.output ELSE NULLIF(v.output, 'null'::jsonb) END,
               logs = COALESCE(v.logs, p.logs), sealed_secrets = NULL,
               metrics = v.metrics || jsonb_build_object('total_time', extract(epoch FROM clock.now - p.created_at))
                 || CASE WHEN p.started_at IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('predict_time',
                     COALESCE(v.predict_us, greatest(0, extract(epoch FROM clock.now - p.started_at) * 1e6))::bigint
                     / 1e6)
                    END
          FROM jsonb_to_recordset(%s::jsonb) AS v(prediction_id text, claim text, status text, output jsonb,
               logs text, error text, metrics jsonb, predict_us bigint, fault_class text, keep_output boolean,
               only_from text, cause text), (SELECT clock_timestamp() AS now) AS clock
         WHERE p.id = v.prediction_id AND p.status IN ('starting', 'processing')
           AND (v.claim IS NULL OR p.claim = v.claim) AND (v.only_from IS NULL OR p.status = v.only_from)
     RETURNING p.*, v.cause
        ), logged AS (
        INSERT INTO runner_loggedevent (account_id, type, subject, data)
        SELECT account_id, kind || '.' || status, kind || '/' || id, jsonb_strip_nulls(jsonb_build_object(
               'cause', cause, 'fault_class', NULLIF(fault_class, 'none'), 'predict_time', metrics->'predict_time'))
          FROM moved
        ) SELECT * FROM moved
        """,
        [orjson.dumps(rows).decode()],
    )
    return list(ended)


def _usage(row: Prediction, outcome: Outcome) -> PredictionUsage:
    """What it used, for metering to decide what of it is charged.  Source: billing.md 4."""
    assert row.completed_at is not None
    limit = settings.TRAINING_TIMEOUT_SECONDS if row.is_training else settings.PREDICTION_TIMEOUT_SECONDS
    return PredictionUsage(
        prediction_id=row.pk,
        account_id=row.account_id,
        predict_us=round(row.metrics.get("predict_time", 0) * 1_000_000),
        price=price_by_id(row.price_id),
        occurred_at=row.completed_at,
        model_name=row.model_name,
        version_id=row.version_id,
        hardware=row.hardware,
        token_id=row.token_id,
        fault_class=outcome.fault_class,
        cap_nanos=row.cost_cap_nanos,
        billing_class=row.billing_class,
        has_started=row.started_at is not None,
        user_id=row.user_id,
        deployment_name=row.deployment_name,
        unit_prices=prices_by_id(row.unit_price_ids),
        metrics=row.metrics,
        files=_count_files(row.output) if row.unit_price_ids else 0,
        observed_us=(row.completed_at - row.started_at) // _MICROSECOND if row.started_at else None,
        limit_us=limit * 1_000_000,
        doubt=outcome.doubt,
    )


def _count_files(output: Any) -> int:
    """Files that an output has: its texts, as an image model's are all addresses."""
    if isinstance(output, str):
        return 1
    values = output.values() if isinstance(output, dict) else output if isinstance(output, list) else ()
    return sum(_count_files(value) for value in values)


def loss_in_words(reason: str) -> str:
    """The error of a prediction whose instance or host was lost.  Source: replicate-api.md 3.9."""
    return f"The instance was lost while it ran: {reason or _HOST_LOST} (E1000)"


def requeue(prediction_id: str, claim: str, *, logs: str, reason: str = "") -> Prediction | None:
    """Back to the queue after a platform fault, or `failed` once the tries are used up.

    Returns the prediction if it was ended by this, None if it waits again or the claim was no longer good.
    Source: design.md, "States".
    """
    with transaction.atomic():
        requeued = Prediction.objects.filter(
            pk=prediction_id, claim=claim, status=Status.PROCESSING, tries__lt=MAX_TRIES
        ).update(
            status=Status.STARTING,
            started_at=None,
            claim="",
            instance=None,
            output=None,
            logs=Concat(Value(clean_text(logs)), Value(_REQUEUED)),
        )
        if requeued:
            _log_move(prediction_id, "requeued", cause=reason or _HOST_LOST)
            return None
    fault = Outcome(
        prediction_id,
        claim,
        Status.FAILED,
        logs=logs,
        error=loss_in_words(reason),
        fault_class=FaultClass.PLATFORM if reason else FaultClass.HOST,
        predict_us=0,
        cause=reason or _HOST_LOST,
    )
    return end_many([fault])[0]


def give_back(prediction_id: str, claim: str) -> None:
    """Back to the queue without having been touched: it was claimed ahead, and its turn didn't come soon enough."""
    with transaction.atomic():
        given_back = Prediction.objects.filter(pk=prediction_id, claim=claim, status=Status.PROCESSING).update(
            status=Status.STARTING, started_at=None, claim="", instance=None, tries=F("tries") - 1
        )
        if given_back:
            _log_move(prediction_id, "given_back", cause="it was claimed ahead, and its turn did not come soon enough")


def note_cancel_request(prediction_id: str) -> None:
    """Tell the event log that somebody asked for a stop. One that has ended meanwhile has nothing to tell."""
    with transaction.atomic():
        unfinished = Prediction.objects.exclude(status__in=TERMINAL)
        row = unfinished.select_for_update(no_key=True).only("account_id", "kind").filter(pk=prediction_id).first()
        if row:
            event_log.record_many([event_log.move_of(row, "cancel_requested")])


def _log_move(prediction_id: str, move: str, *, cause: str) -> None:
    row = Prediction.objects.only("account_id", "kind", "tries").get(pk=prediction_id)
    event_log.record_many([event_log.move_of(row, move, cause=cause, tries=row.tries)])


@lru_cache(maxsize=500)
def _version(version_id: str) -> Version:
    """A ready version never changes, and its schema is long: read it once."""
    return Version.objects.get(pk=version_id)
