"""Celery's edge of billing: each task calls one verb and may run twice."""

import datetime

from celery import shared_task

from billing import (
    auto_reload,
    card_refunds,
    collection,
    discounts,
    expiry,
    expiry_notices,
    incidents,
    invoice_jobs,
    limit_warnings,
    posting,
    publisher_shares,
    reconciliation,
    seals,
    stripe_events,
    top_ups,
    trials,
)


@shared_task
def post_usage() -> None:
    """Every second: needs usage records that are not posted, leaves them posted."""
    posting.sweep()


@shared_task
def expire_credit() -> None:
    """Every 5 minutes: leaves no credit whose time is over."""
    while expiry.expire_due(_now()):
        pass


@shared_task
def announce_expiry() -> None:
    """Every hour: leaves nobody untold whose bought credit expires soon."""
    while expiry_notices.send_due(_now()):
        pass


@shared_task
def grant_trials() -> None:
    """Every minute: leaves no verified trial account without its credit."""
    while trials.grant_missing():
        pass


@shared_task
def refund_incidents() -> None:
    """Every minute: needs confirmed refunds of incidents, leaves them done."""
    incidents.finish_confirmed()


@shared_task
def tell_of_limits() -> None:
    """Every 10 s: leaves nobody untold whose spend limit fills up."""
    limit_warnings.tell_due(_now())


@shared_task
def seal_days() -> None:
    """Every hour: leaves each day sealed that is over for six hours."""
    seals.seal_days(_now())


@shared_task
def reconcile() -> None:
    """Every night: log what does not add up."""
    reconciliation.run()


@shared_task
def reconcile_stripe() -> None:
    """Every hour: settle what moved at Stripe unnoticed, and log what differs."""
    reconciliation.run(["stripe"])


@shared_task
def process_stripe_events() -> None:
    """When one arrives, and every 30 s: needs events that are due, leaves each done, dead, or with a later time."""
    stripe_events.process_due()


@shared_task
def poll_stripe_events() -> None:
    """Every 10 minutes: store the events that no webhook brought."""
    stripe_events.poll()


@shared_task
def resolve_payments() -> None:
    """Every 10 s: needs top-ups without an outcome, leaves each settled or with a later time."""
    while top_ups.resolve_due(now=_now()):
        pass


@shared_task
def resolve_card_refunds() -> None:
    """Every 10 minutes: needs refunds without an outcome, leaves each settled, or for the next time."""
    card_refunds.resolve_due(now=_now())


@shared_task
def reload_credit(account_id: int) -> None:
    """Where an account's credit ran low: buy more, if it wants that."""
    auto_reload.consider(account_id)


@shared_task
def sweep_auto_reload() -> None:
    """Every minute: find the accounts whose wake-up was lost, and the retries that are due."""
    auto_reload.sweep(now=_now())


@shared_task
def close_periods() -> None:
    """Every hour: in a month's first week needs accounts with usage of the month before, leaves them invoiced."""
    invoice_jobs.close_periods()


@shared_task
def collect_invoices() -> None:
    """Every minute: needs invoices whose next step is due, leaves each paid or with a later step."""
    collection.collect_due()


@shared_task
def issue_interims() -> None:
    """Every minute: needs postpaid accounts that owe too much, leaves them billed."""
    invoice_jobs.issue_interims()


@shared_task
def settle_discounts() -> None:
    """Every hour: needs usage above the first tier, leaves its discount posted."""
    discounts.settle_all()


@shared_task
def accrue_shares() -> None:
    """Every hour: needs usage of models whose publishers have an agreement, leaves their share posted."""
    publisher_shares.accrue_all()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
