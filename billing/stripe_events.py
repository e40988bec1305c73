"""What Stripe tells: verified, stored once, answered, and processed later by a worker, any number of times.

An event only says which object to look at: handlers fetch it anew, so neither order nor repetition matters. The poller
brings what no webhook brought.  Source: billing.md 14.5.
"""

import datetime
import time
from collections.abc import Iterable

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError

from billing.models import StripeCursor, StripeEvent
from billing.stripe_gateway import balance, transport
from billing.stripe_gateway.errors import redacted
from billing.stripe_gateway.objects import Event
from billing.stripe_handlers import HANDLERS

log = structlog.get_logger(__name__)

MOST_TRIES = 10
_FIRST_DELAY_SECONDS = 30
_LONGEST_DELAY_SECONDS = 6 * 3600
_CLAIMED_FOR = datetime.timedelta(minutes=5)
_CURSOR = "events"
_OVERLAP = datetime.timedelta(hours=1)
_FIRST_LOOK = datetime.timedelta(days=1)


def receive(body: bytes, signature: str) -> None:
    """Store a webhook's event; one that is there already stays. Raises BadSignature: then nothing is stored."""
    shown = transport.verified_event(body, signature, settings.STRIPE_WEBHOOK_SECRETS, now=time.time())
    store([Event.of(shown)])


def store(events: Iterable[Event]) -> None:
    """Store events that are not there yet, and wake a worker for them."""
    rows = [
        StripeEvent(
            id=event.id,
            type=event.type,
            created=event.created,
            api_version=event.api_version,
            livemode=event.livemode,
            payload=event.payload,
            state=StripeEvent.State.RECEIVED if event.type in HANDLERS else StripeEvent.State.IGNORED,
        )
        for event in events
    ]
    with transaction.atomic():
        StripeEvent.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
        transaction.on_commit(_wake)


def process_due(*, now: datetime.datetime | None = None) -> int:
    """Handle every event whose time has come; how many. Several workers share them."""
    count = 0
    while transport.is_configured() and (event := _claim(now or timezone.now())):
        _process(event)
        count += 1
    return count


def retry(event_id: str) -> None:
    """Give a dead event its tries anew."""
    rows = StripeEvent.objects.filter(pk=event_id, state=StripeEvent.State.DEAD)
    with transaction.atomic():
        rows.update(state=StripeEvent.State.RECEIVED, tries=0, next_try_at=timezone.now())
        transaction.on_commit(_wake)


def poll(*, now: datetime.datetime | None = None) -> int:
    """Store the events that Stripe lists since the last look, with an overlap; how many it listed.

    Repairs an endpoint that was down, a wrong secret, a lost delivery.  Source: billing.md 14.5.
    """
    if not transport.is_configured():
        return 0
    now = now or timezone.now()
    cursor = StripeCursor.objects.filter(pk=_CURSOR).first()
    since = (cursor.position - _OVERLAP) if cursor else now - _FIRST_LOOK
    listed = list(balance.list_events(since=since))
    store(listed)
    StripeCursor.objects.update_or_create(pk=_CURSOR, defaults={"position": now})
    return len(listed)


def _claim(now: datetime.datetime) -> StripeEvent | None:
    """The next event, for this worker alone for some minutes: if it dies, another one takes it up."""
    with transaction.atomic():
        due = StripeEvent.objects.select_for_update(skip_locked=True)
        event = due.filter(state=StripeEvent.State.RECEIVED, next_try_at__lte=now).order_by("next_try_at").first()
        if event:
            StripeEvent.objects.filter(pk=event.pk).update(tries=F("tries") + 1, next_try_at=now + _CLAIMED_FOR)
            event.tries += 1
    return event


def _process(event: StripeEvent) -> None:
    rows = StripeEvent.objects.filter(pk=event.pk)
    try:
        HANDLERS[event.type](str(event.payload["data"]["object"]["id"]))
    except Exception as error:  # noqa: BLE001 - one event must not stop the others
        is_dead = event.tries >= MOST_TRIES
        seconds = min(_FIRST_DELAY_SECONDS * 2 ** (event.tries - 1), _LONGEST_DELAY_SECONDS)
        rows.update(
            state=StripeEvent.State.DEAD if is_dead else StripeEvent.State.RECEIVED,
            error=redacted(f"{type(error).__name__}: {error}")[:1000],
            next_try_at=timezone.now() + datetime.timedelta(seconds=seconds),
        )
        tell = log.error if is_dead else log.warning
        tell("stripe_event_failed", event_id=event.pk, type=event.type, tries=event.tries, error=type(error).__name__)
    else:
        rows.update(state=StripeEvent.State.DONE, error="")
        log.info("stripe_event_done", event_id=event.pk, type=event.type)


def _wake() -> None:
    try:
        current_app.send_task("billing.tasks.process_stripe_events")
    except OperationalError:
        log.warning("wakeup_lost", task="process_stripe_events")  # beat sends one soon
