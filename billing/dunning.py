"""When an unpaid invoice is asked for again, and what follows when it stays unpaid.

Source: billing.md 12 "Dunning", 8.5.
"""

import datetime
from dataclasses import dataclass

from django.conf import settings

from billing.models import BillingAccount
from billing.stripe_gateway import transport


@dataclass(frozen=True, slots=True)
class Step:
    """One day of the schedule. status: what the account becomes if the invoice is unpaid after it, None: no change."""

    day: int
    collects: bool
    status: BillingAccount.Status | None = None


STEPS = (
    Step(0, collects=True),
    Step(3, collects=True),
    Step(5, collects=True),
    Step(7, collects=True, status=BillingAccount.Status.RESTRICTED),
    Step(14, collects=False, status=BillingAccount.Status.SUSPENDED),
)


def terms(now: datetime.datetime, *, by_card: bool) -> tuple[datetime.datetime, datetime.datetime]:
    """(due, first step) of an invoice that is issued now: at once by a saved card, else when its days have passed."""
    if by_card:
        return now, now
    due = now + datetime.timedelta(days=settings.BILLING_INVOICE_DUE_DAYS)
    return due, now if transport.is_configured() else due


def step_at(due_at: datetime.datetime, tries: int) -> tuple[Step, datetime.datetime] | None:
    """The step after `tries` of them were made and when it is due; None when all were."""
    if tries >= len(STEPS):
        return None
    step = STEPS[tries]
    return step, due_at + datetime.timedelta(days=step.day)


def has_suspended(tries: int) -> bool:
    """Did so many steps suspend the account?"""
    return any(step.status == BillingAccount.Status.SUSPENDED for step in STEPS[:tries])
