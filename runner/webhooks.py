"""Webhooks: the outbox is written with what it tells of, Celery delivers it later.

Terminal messages are retried with back-off and arrive at least once; the others are tried once.
Source: replicate-api.md 5.
"""

from collections.abc import Sequence

import orjson
from django.utils import timezone

from runner.documents import prediction_document
from runner.models import Prediction, WebhookDelivery

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
    return WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            account_id=prediction.account_id,
            prediction_id=prediction.pk,
            event=event,
            url=prediction.webhook,
            body=orjson.dumps(prediction_document(prediction)),
            next_attempt_at=now,
        )
        for prediction, event in moves
        if wants(prediction, event)
    )
