"""Deliver what the outbox holds: signed, one message of a prediction at a time, in order, retried where it matters.

A try leases its row by moving `next_attempt_at` past the time-out, sends without a transaction, then writes the result.
Who dies in between leaves a lease that ends: a terminal message is then sent again under the same id, another is
given up.
Source: replicate-api.md 5.1 to 5.4.
"""

import datetime
import time
from dataclasses import dataclass

import structlog
from django.db.models import Case, IntegerField, QuerySet, Value, When
from standardwebhooks.webhooks import Webhook

from marketplace.lib import egress
from runner.models import WebhookDelivery

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
RETRY_AFTER_SECONDS = (1, 2, 4, 8, 16, 29)
SPACING = datetime.timedelta(milliseconds=500)  # between two messages of progress
_LEASE = datetime.timedelta(seconds=TIMEOUT_SECONDS + 5)
_PROGRESS = ("output", "logs")
TERMINAL = "completed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one try came to. status: of the answer, None without one. may_retry: False for what the operator forbids."""

    status: int | None
    error: str = ""
    may_retry: bool = True

    @property
    def is_delivered(self) -> bool:
        """2xx; a redirect is none."""
        return self.status is not None and 200 <= self.status < 300


def deliver_of(prediction_id: str) -> float | None:
    """Send all that is due of a prediction. Returns the seconds until something is due again, None when all is done.

    Safe to run twice at once: each message is leased by one.
    """
    while True:
        now = datetime.datetime.now(datetime.UTC)
        _drop_superseded(prediction_id)
        delivery = _pending(prediction_id).select_related("account").first()
        if delivery is None:
            return None
        assert delivery.next_attempt_at is not None
        due = max(delivery.next_attempt_at, _earliest(delivery))
        if due > now:
            return (due - now).total_seconds()
        if delivery.event != TERMINAL and delivery.attempts:
            _give_up(delivery)  # whoever tried it died, and it is worth one try only
        elif _lease(delivery, now):
            _settle(delivery, send(delivery))


def due_predictions(*, at_most: int = 500) -> list[str]:
    """Predictions with a message that is due: what wake-ups missed."""
    now = datetime.datetime.now(datetime.UTC)
    due = WebhookDelivery.objects.filter(next_attempt_at__lte=now)
    return list(due.values_list("prediction_id", flat=True).distinct()[:at_most])


def signed_headers(delivery: WebhookDelivery, secret: str, *, now: datetime.datetime) -> dict[str, str]:
    """Headers of Standard Webhooks for this try.  Source: replicate-api.md 5.4."""
    signature = Webhook(secret).sign(delivery.pk, now, bytes(delivery.body).decode())
    return {
        "content-type": "application/json",
        "webhook-id": delivery.pk,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def send(delivery: WebhookDelivery) -> Attempt:
    """One try over the network."""
    now = datetime.datetime.now(datetime.UTC)
    headers = signed_headers(delivery, delivery.account.webhook_secret, now=now)
    started = time.monotonic()
    try:
        answer = egress.post(delivery.url, bytes(delivery.body), headers, TIMEOUT_SECONDS)
        attempt = Attempt(answer.status, "" if 200 <= answer.status < 300 else f"answered {answer.status}")
    except egress.EgressRefused as error:
        attempt = Attempt(None, str(error), may_retry=False)
    except egress.EgressFailed as error:
        attempt = Attempt(None, str(error))
    log.info(
        "webhook_tried",
        delivery_id=delivery.pk,
        prediction_id=delivery.prediction_id,
        webhook_event=delivery.event,
        status=attempt.status,
        ms=round((time.monotonic() - started) * 1000),
    )
    return attempt


def _pending(prediction_id: str) -> QuerySet[WebhookDelivery]:
    """Messages not yet settled, in the order in which they are sent: `start` first, the terminal one last."""
    first, last = When(event="start", then=Value(0)), When(event=TERMINAL, then=Value(2))
    order = Case(first, last, default=Value(1), output_field=IntegerField())
    rows = WebhookDelivery.objects.filter(prediction_id=prediction_id, next_attempt_at__isnull=False)
    return rows.order_by(order, "created_at", "pk")


def _drop_superseded(prediction_id: str) -> None:
    """Progress that nobody was told of yet is not worth telling once there is newer news."""
    waiting = list(_pending(prediction_id).exclude(event="start").filter(attempts=0).values_list("pk", "event"))
    older = [pk for pk, event in waiting[:-1] if event in _PROGRESS]
    if older:
        WebhookDelivery.objects.filter(pk__in=older, attempts=0).update(
            next_attempt_at=None, last_error="superseded by newer news"
        )


def _earliest(delivery: WebhookDelivery) -> datetime.datetime:
    """Progress keeps its distance from the progress before it, however the workers' delays fell."""
    if delivery.event in _PROGRESS:
        told = WebhookDelivery.objects.filter(
            prediction_id=delivery.prediction_id, event__in=_PROGRESS, delivered_at__isnull=False
        )
        if newest := told.order_by("-delivered_at").values_list("delivered_at", flat=True).first():
            return newest + SPACING
    return delivery.created_at


def _lease(delivery: WebhookDelivery, now: datetime.datetime) -> bool:
    """Take the row for one try. False if somebody else did."""
    due = WebhookDelivery.objects.filter(pk=delivery.pk, next_attempt_at=delivery.next_attempt_at)
    leased = due.update(next_attempt_at=now + _LEASE, attempts=delivery.attempts + 1)
    delivery.attempts += leased
    return bool(leased)


def _settle(delivery: WebhookDelivery, attempt: Attempt) -> None:
    """Write what the try came to; `attempts` tells it from a later one, should the lease have run out."""
    now = datetime.datetime.now(datetime.UTC)
    retries_left = delivery.attempts <= len(RETRY_AFTER_SECONDS) and delivery.event == TERMINAL and attempt.may_retry
    again = not attempt.is_delivered and retries_left
    WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts).update(
        last_status=attempt.status,
        last_error=attempt.error[:500],
        delivered_at=now if attempt.is_delivered else None,
        next_attempt_at=now + datetime.timedelta(seconds=RETRY_AFTER_SECONDS[delivery.attempts - 1]) if again else None,
    )
    if not attempt.is_delivered and not again:
        log.warning("webhook_given_up", delivery_id=delivery.pk, webhook_event=delivery.event, error=attempt.error)


def _give_up(delivery: WebhookDelivery) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts).update(
        next_attempt_at=None, last_error="the worker was lost while it sent this"
    )
