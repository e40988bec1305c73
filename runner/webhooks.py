"""Webhooks: the outbox is written with what it tells of, Celery delivers it later.

Terminal messages are retried with back-off and arrive at least once; the others are tried once.
Source: replicate-api.md 5.
"""

from collections.abc import Sequence
from functools import partial

import structlog
from celery import current_app
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from marketplace.lib.endpoints import encode
from runner.documents import prediction_document
from runner.models import Prediction, WebhookDelivery

log = structlog.get_logger(__name__)

DEFAULT_EVENTS = ("output", "completed")


def wants(prediction: Prediction, event: str) -> bool:
    """Did the caller ask for this event?  Source: replicate-api.md 5.1."""
    if not prediction.webhook:
        return False
    chosen = DEFAULT_EVENTS if prediction.webhook_events is None else prediction.webhook_events
    return event in chosen


def enqueue_many(moves: Sequence[tuple[Prediction, str]]) -> list[WebhookDelivery]:
    """Write a message for each (prediction, event) somebody asked for, in the caller's transaction."""
    now = timezone.now()
    deliveries = WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            account_id=prediction.account_id,
            prediction_id=prediction.pk,
            event=event,
            url=prediction.webhook,
            body=encode(prediction_document(prediction)),
            next_attempt_at=now,
        )
        for prediction, event in moves
        if wants(prediction, event)
    )
    for prediction_id in dict.fromkeys(delivery.prediction_id for delivery in deliveries):
        transaction.on_commit(partial(wake, prediction_id), robust=True)
    return deliveries


def wake(prediction_id: str, *, after_seconds: float = 0.0) -> None:
    """Have a worker deliver what is due of a prediction. With the broker down the sweep does it later."""
    try:
        current_app.send_task(
            "runner.tasks.deliver_webhooks", args=[prediction_id], countdown=after_seconds or None, retry=False
        )
    except (OperationalError, OSError) as error:
        log.warning("wakeup_lost", type="webhook", prediction_id=prediction_id, error=str(error))
