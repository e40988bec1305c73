"""Webhooks: the outbox is written with what it tells of, Celery delivers it later.

Terminal messages are retried with back-off and arrive at least once; the others are tried once.
Source: replicate-api.md 5.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from marketplace.lib.endpoints import encode
from runner.documents import document_of
from runner.models import Prediction, WebhookDelivery

log = structlog.get_logger(__name__)

DEFAULT_EVENTS = ("output", "completed")
_WITHOUT_DATA: dict[str, Any] = {"input": {}, "output": None, "logs": ""}
_ERROR_CHARACTERS = 10_000


def wants(prediction: Prediction, event: str) -> bool:
    """Did the caller ask for this event?  Source: replicate-api.md 5.1."""
    if not prediction.webhook:
        return False
    chosen = DEFAULT_EVENTS if prediction.webhook_events is None else prediction.webhook_events
    return event in chosen


def enqueue_many(moves: Sequence[tuple[Prediction, str]]) -> list[WebhookDelivery]:
    """Write a message for each (prediction, event) somebody asked for, in the caller's transaction."""
    return _write(
        [
            _message(prediction.account_id, prediction.pk, event, prediction.webhook, document_of(prediction))
            for prediction, event in moves
            if wants(prediction, event)
        ]
    )


def enqueue(*, account_id: int, subject_id: str, event: str, url: str, document: Mapping[str, Any]) -> WebhookDelivery:
    """Write a message about something other than a prediction, in the caller's transaction: a batch, for example.

    subject_id: what it tells of, at most 26 characters; messages of one subject are sent one after the other. event:
    `completed` is written once for each subject (IntegrityError) and retried, everything else is tried once.
    document: what the API answers for the subject.
    """
    return _write([_message(account_id, subject_id, event, url, document)])[0]


def _message(account_id: int, subject_id: str, event: str, url: str, document: Mapping[str, Any]) -> WebhookDelivery:
    return WebhookDelivery(
        account_id=account_id,
        prediction_id=subject_id,
        event=event,
        url=url,
        body=body_of(document),
        next_attempt_at=timezone.now(),
    )


def body_of(document: Mapping[str, Any]) -> bytes:
    """The bytes to sign and send. What is too large is sent without its data, which the receiver reads at `urls.get`.

    Such a body has the same members with `input`, `output` and `logs` empty, and `truncated: true`, which no other has.
    """
    body = encode(document)
    if len(body) <= settings.WEBHOOK_MAX_BODY_BYTES:
        return body
    error = document.get("error")
    short = {**document, **_WITHOUT_DATA, "truncated": True}
    if isinstance(error, str):
        short["error"] = error[:_ERROR_CHARACTERS]
    return encode({name: value for name, value in short.items() if name in document or name == "truncated"})


def _write(messages: Sequence[WebhookDelivery]) -> list[WebhookDelivery]:
    deliveries = WebhookDelivery.objects.bulk_create(messages)
    for subject_id in dict.fromkeys(delivery.prediction_id for delivery in deliveries):
        transaction.on_commit(partial(wake, subject_id), robust=True)
    return deliveries


def wake(prediction_id: str, *, after_seconds: float = 0.0) -> None:
    """Have a worker deliver what is due of a prediction. With the broker down the sweep does it later."""
    try:
        current_app.send_task(
            "runner.tasks.deliver_webhooks", args=[prediction_id], countdown=after_seconds or None, retry=False
        )
    except (OperationalError, OSError) as error:
        log.warning("wakeup_lost", type="webhook", prediction_id=prediction_id, error=str(error))
