"""Celery's edge of billing: each task calls one verb and may run twice."""

from celery import shared_task

from billing import posting


@shared_task
def post_usage() -> None:
    """Every second: needs usage records that are not posted, leaves them posted."""
    posting.sweep()
