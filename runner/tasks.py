"""Celery's edge: each task takes ids or nothing, calls one verb, and may run twice. Sweeps find what wake-ups missed."""

from celery import shared_task
from django.core.cache import cache

from runner import builds, files

WORKER_SEEN = "worker-seen"  # a mark in the cache: a worker runs tasks that beat sends
_SEEN_SECONDS = 30


@shared_task
def sweep_webhooks() -> None:
    """Every 5 s: deliver what is due."""
    cache.set(WORKER_SEEN, 1, timeout=_SEEN_SECONDS)


@shared_task
def sweep_files() -> None:
    """Every 5 minutes: remove files whose time is over. Needs nothing, leaves no expired file."""
    while files.remove_expired():
        pass


@shared_task
def build_version(build_id: int) -> None:
    """Needs a queued build; leaves it ended, or running under a claim that the sweep takes back if this worker dies."""
    builds.execute(build_id)


@shared_task
def sweep_builds() -> None:
    """Every 15 s: retry builds of silent workers, wake workers for queued ones, queue what has no build."""
    builds.sweep()
