"""What became of webhooks, for the account that asked for them: list, look at the tries, send again, forget in time.

A replay sends the same bytes under the same `webhook-id`, so that a receiver which had it can tell; a terminal message
is then retried as at first. Beyond Replicate's API.
"""

import datetime

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from accounts.access import Caller
from marketplace.lib.problems import Conflict, NotFound
from runner import webhooks
from runner.models import WebhookDelivery
from runner.webhook_delivery import LEASE, TERMINAL

REPLAYED_AT_ONCE = 1000
_CHUNK = 1000
_SENT = Q(attempts__gt=0)
_STATES = {
    WebhookDelivery.State.PENDING: Q(next_attempt_at__isnull=False),
    WebhookDelivery.State.DELIVERED: Q(next_attempt_at=None, delivered_at__isnull=False),
    WebhookDelivery.State.FAILED: Q(next_attempt_at=None, delivered_at=None) & _SENT,
    WebhookDelivery.State.SUPERSEDED: Q(next_attempt_at=None, delivered_at=None) & ~_SENT,
}


def list_deliveries(caller: Caller, *, prediction_id: str = "", state: str = "") -> QuerySet[WebhookDelivery]:
    """The account's messages, those of one prediction (or batch), those in one state."""
    rows = WebhookDelivery.objects.filter(account_id=caller.account_id).defer("body")
    if prediction_id:
        rows = rows.filter(prediction_id=prediction_id)
    return rows.filter(_STATES[WebhookDelivery.State(state)]) if state else rows


def get_delivery(caller: Caller, delivery_id: str) -> WebhookDelivery:
    """One of the account's messages. Raises NotFound, for other people's too."""
    delivery = WebhookDelivery.objects.filter(account_id=caller.account_id, pk=delivery_id).first()
    if delivery is None:
        raise NotFound()
    return delivery


def replay(caller: Caller, delivery_id: str) -> WebhookDelivery:
    """Send a message again, at once. One that waits for its next try is tried now.

    Raises NotFound; Conflict for one that was never sent because newer news came first.
    """
    delivery = get_delivery(caller, delivery_id)
    if delivery.state == WebhookDelivery.State.SUPERSEDED:
        raise Conflict("This message was never sent: newer news came first.")
    _queue([delivery])
    return get_delivery(caller, delivery_id)


def replay_range(
    caller: Caller,
    *,
    created_after: datetime.datetime,
    created_before: datetime.datetime,
    event: str = TERMINAL,
    only_failed: bool = False,
) -> tuple[int, bool]:
    """Send again what was written from created_after to before created_before, oldest first.

    only_failed: only what was given up; else also what was delivered. Returns how many were queued, at most
    REPLAYED_AT_ONCE, and whether more are left.
    """
    wanted = _STATES[WebhookDelivery.State.FAILED]
    if not only_failed:
        wanted |= _STATES[WebhookDelivery.State.DELIVERED]
    written = list_deliveries(caller).filter(created_at__gte=created_after, created_at__lt=created_before, event=event)
    found = list(written.filter(wanted).order_by("created_at", "pk")[: REPLAYED_AT_ONCE + 1])
    return _queue(found[:REPLAYED_AT_ONCE]), len(found) > REPLAYED_AT_ONCE


def _queue(deliveries: list[WebhookDelivery]) -> int:
    """Make them due; one that is being tried at this moment is left to it. Dying after the update: the sweep wakes."""
    now = timezone.now()
    rows = WebhookDelivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries])
    queued = rows.filter(next_attempt_at=None).update(next_attempt_at=now, attempts_before=F("attempts"))
    queued += rows.filter(next_attempt_at__gt=now + LEASE).update(next_attempt_at=now)
    for subject_id in dict.fromkeys(delivery.prediction_id for delivery in deliveries):
        webhooks.wake(subject_id)
    return queued


def remove_old() -> int:
    """Remove messages that are older than WEBHOOKS_KEPT_DAYS and settled, a chunk at a time; returns how many."""
    oldest_kept = timezone.now() - datetime.timedelta(days=settings.WEBHOOKS_KEPT_DAYS)
    old = WebhookDelivery.objects.filter(created_at__lt=oldest_kept, next_attempt_at=None)
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:_CHUNK])
    WebhookDelivery.objects.filter(pk__in=ids).delete()
    return len(ids)
