"""Celery's edge of billing: each task calls one verb and may run twice."""

import datetime

from celery import shared_task

from billing import expiry, posting, trials


@shared_task
def post_usage() -> None:
    """Every second: needs usage records that are not posted, leaves them posted."""
    posting.sweep()


@shared_task
def expire_credit() -> None:
    """Every 5 minutes: leaves no credit whose time is over."""
    while expiry.expire_due(datetime.datetime.now(datetime.UTC)):
        pass


@shared_task
def grant_trials() -> None:
    """Every minute: leaves no verified trial account without its credit."""
    while trials.grant_missing():
        pass
