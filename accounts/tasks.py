"""Celery's edge of accounts: each task calls one verb and may run twice."""

from celery import shared_task

from accounts import idempotency


@shared_task
def forget_idempotency_keys() -> None:
    """Every 15 minutes: remove records of keys older than 24 hours. Needs nothing, leaves none."""
    while idempotency.forget_old():
        pass
