"""Deliver what the outbox holds: signed, one message of a prediction at a time, in order, retried where it matters.

A try leases its row by moving `next_attempt_at` past the time-out, sends without a transaction, then writes the result.
Who dies in between leaves a lease that ends: a terminal message is then sent again under the same id, another is
given up.
Source: replicate-api.md 5.1 to 5.4.
"""

import datetime
import math
import time
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Case, F, IntegerField, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber
from standardwebhooks.webhooks import Webhook

from accounts.webhook_secrets import signing_secrets
from marketplace.lib import egress
from runner.delivery_turns import turn
from runner.models import WebhookAttempt, WebhookDelivery

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
_MINUTE, _HOUR = 60, 3600
# As Replicate does for the first minute; then on, so that a receiver may be away for a day.
RETRY_AFTER_SECONDS = (
    *(1, 2, 4, 8, 16, 29),
    *(5 * _MINUTE, 15 * _MINUTE, 1 * _HOUR, 3 * _HOUR, 6 * _HOUR, 14 * _HOUR),
)
SPACING = datetime.timedelta(milliseconds=500)  # between two messages of progress
LEASE = datetime.timedelta(seconds=TIMEOUT_SECONDS + 5)
_PROGRESS = ("output", "logs")
_ERROR_CHARACTERS = 500
TERMINAL = "completed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one try came to. status: of the answer, None without one. may_retry: False for what the operator forbids."""

    status: int | None
    error: str = ""
    may_retry: bool = True
    duration_ms: int = 0

    @property
    def is_delivered(self) -> bool:
        """2xx; a redirect is none."""
        return self.status is not None and 200 <= self.status < 300


def deliver_of(prediction_id: str) -> float | None:
    """Send all that is due of a prediction. Returns the seconds until something is due again, None when all is done.

    Infinity: the account sends as many at once as it may, and the sweep comes back to it. Safe to run twice at once:
    each message is leased by one.
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
        if delivery.event != TERMINAL and delivery.tries:
            _give_up(delivery)  # whoever tried it died, and it is worth one try only
            continue
        with turn(delivery.account_id) as may_send:
            if not may_send:
                return math.inf
            if _lease(delivery, now):
                _settle(delivery, send(delivery))


def due_predictions(*, of_each_account: int = 50) -> list[str]:
    """Predictions with a message that is due: what wake-ups missed. Those of one account don't crowd out the others."""
    now = datetime.datetime.now(datetime.UTC)
    place = Window(RowNumber(), partition_by=F("account_id"), order_by=F("next_attempt_at").asc())
    due = WebhookDelivery.objects.filter(next_attempt_at__lte=now).annotate(place=place)
    foremost = due.filter(place__lte=of_each_account).order_by("place").values_list("prediction_id", flat=True)
    return list(dict.fromkeys(foremost))


def signed_headers(delivery: WebhookDelivery, *secrets: str, now: datetime.datetime) -> dict[str, str]:
    """Headers of Standard Webhooks for this try, with a signature by each secret.  Source: replicate-api.md 5.4."""
    body = bytes(delivery.body).decode()
    signature = " ".join(Webhook(secret).sign(delivery.pk, now, body) for secret in secrets)
    return {
        "content-type": "application/json",
        "webhook-id": delivery.pk,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def send(delivery: WebhookDelivery) -> Attempt:
    """One try over the network."""
    now = datetime.datetime.now(datetime.UTC)
    headers = signed_headers(delivery, *signing_secrets(delivery.account, now), now=now)
    started = time.monotonic()
    status, refused, error = None, False, ""
    try:
        status = egress.post(delivery.url, bytes(delivery.body), headers, TIMEOUT_SECONDS).status
    except egress.EgressRefused as refusal:
        refused, error = True, str(refusal)
    except egress.EgressFailed as failure:
        error = str(failure)
    if status is not None and not 200 <= status < 300:
        error = f"answered {status}"
    duration_ms = round((time.monotonic() - started) * 1000)
    log.info(
        "webhook_tried",
        delivery_id=delivery.pk,
        prediction_id=delivery.prediction_id,
        webhook_event=delivery.event,
        status=status,
        ms=duration_ms,
    )
    return Attempt(status, error, not refused, duration_ms)


def pause_after(tries: int) -> datetime.timedelta | None:
    """How long after so many failed tries a terminal message is tried again; None: it is given up.

    Source: replicate-api.md 5.3.
    """
    return datetime.timedelta(seconds=RETRY_AFTER_SECONDS[tries - 1]) if tries <= len(RETRY_AFTER_SECONDS) else None


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
    leased = due.update(next_attempt_at=now + LEASE, attempts=delivery.attempts + 1)
    delivery.attempts += leased
    return bool(leased)


def _settle(delivery: WebhookDelivery, attempt: Attempt) -> None:
    """Write what the try came to; `attempts` tells it from a later one, should the lease have run out."""
    now = datetime.datetime.now(datetime.UTC)
    may_retry = not attempt.is_delivered and delivery.event == TERMINAL and attempt.may_retry
    pause = pause_after(delivery.tries) if may_retry else None
    changes: dict[str, Any] = {"last_status": attempt.status, "last_error": attempt.error[:_ERROR_CHARACTERS]}
    if attempt.is_delivered:
        changes["delivered_at"] = now
    with transaction.atomic():
        settled = WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts).update(
            next_attempt_at=now + pause if pause else None, **changes
        )
        WebhookAttempt.objects.create(
            delivery=delivery,
            number=delivery.attempts,
            status=attempt.status,
            error=attempt.error[:_ERROR_CHARACTERS],
            duration_ms=attempt.duration_ms,
        )
    if settled and not attempt.is_delivered and not pause:
        log.warning("webhook_given_up", delivery_id=delivery.pk, webhook_event=delivery.event, error=attempt.error)


def _give_up(delivery: WebhookDelivery) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts).update(
        next_attempt_at=None, last_error="the worker was lost while it sent this"
    )
