"""Celery's edge: each task takes ids or nothing, calls one verb, may run twice. Sweeps find what wake-ups missed."""

import datetime

from celery import shared_task
from django.core.cache import cache

from runner import (
    batch_ends,
    binding_quotes,
    builds,
    credit_watch,
    deletion,
    event_feed,
    files,
    hold_leaks,
    instance_holds,
    retention,
    run_counts,
    webhook_delivery,
    webhook_log,
    webhooks,
)

WORKER_SEEN = "worker-seen"  # marks in the cache: the workers run tasks that beat sends
DELIVERIES_SEEN = "deliveries-seen"
_SEEN_SECONDS = 30
_SOON_SECONDS = 60.0  # beyond this the sweep finds it: the broker would give a message that waits for long twice


@shared_task
def note_worker() -> None:
    """Every 5 s: the sign of life of the worker that builds and sweeps."""
    cache.set(WORKER_SEEN, 1, timeout=_SEEN_SECONDS)


@shared_task
def sweep_webhooks() -> None:
    """Every 5 s: wake workers for messages that are due and whose wake-up was lost. Also the worker's sign of life."""
    cache.set(DELIVERIES_SEEN, 1, timeout=_SEEN_SECONDS)
    for prediction_id in webhook_delivery.due_predictions():
        webhooks.wake(prediction_id)


@shared_task
def deliver_webhooks(prediction_id: str) -> None:
    """Needs unsettled messages of the prediction; leaves none that is due."""
    wait_seconds = webhook_delivery.deliver_of(prediction_id)
    if wait_seconds is not None and wait_seconds <= _SOON_SECONDS:
        webhooks.wake(prediction_id, after_seconds=wait_seconds)


@shared_task
def remove_old_webhooks() -> None:
    """Every hour: forget messages that were settled long ago. Needs nothing, leaves none that is older."""
    while webhook_log.remove_old():
        pass


@shared_task
def sweep_files() -> None:
    """Every 5 minutes: remove files whose time is over. Needs nothing, leaves no expired file."""
    while files.remove_expired():
        pass


@shared_task
def remove_old_data() -> None:
    """Every minute: remove the data of predictions whose time is over. Leaves none, and none of their files."""
    while retention.remove_due(now=datetime.datetime.now(datetime.UTC)):
        pass
    sweep_files()


@shared_task
def remove_deleted() -> None:
    """Every minute: remove the data of deleted versions. Needs nothing, leaves none."""
    while deletion.remove_remains(now=datetime.datetime.now(datetime.UTC)):
        pass
    sweep_files()


@shared_task
def sweep_batches() -> None:
    """Every minute: close batches that nobody closed though nothing of them is unfinished."""
    batch_ends.sweep()


@shared_task
def build_version(build_id: int) -> None:
    """Needs a queued build; leaves it ended, or running under a claim that the sweep takes back if this worker dies."""
    builds.execute(build_id)


@shared_task
def sweep_builds() -> None:
    """Every 15 s: retry builds of silent workers, wake workers for queued ones, queue what has no build."""
    builds.sweep()


@shared_task
def count_runs() -> None:
    """Every 20 s: write how often models were run."""
    run_counts.refresh()


@shared_task
def remove_old_events() -> None:
    """Every hour: shorten the event log. Needs nothing, leaves no event that is older than it is kept."""
    while event_feed.remove_old():
        pass


@shared_task
def forget_old_quotes() -> None:
    """Every hour: binding quotes that expired a day ago go."""
    binding_quotes.forget_old()


@shared_task
def watch_credit() -> None:
    """Every 10 s: leaves what runs held for, and nothing running that can't be paid."""
    credit_watch.beat()
    instance_holds.beat()


@shared_task
def release_leaked_holds() -> None:
    """Every minute: leaves no hold of what has ended and is posted, or is gone."""
    hold_leaks.sweep()
