"""The jobs that make invoices: find whom there is something to bill, and bill each in a transaction of its own."""

import datetime
from collections.abc import Callable, Iterable

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.db.models import Exists, F, Max, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from billing import cents, invoices
from billing.invoices import InvoiceDoesNotAddUp
from billing.ledger import PostingConflict, PostingRefused
from billing.models import BillingAccount, Invoice
from billing.periods import month_before, month_of, name_of

log = structlog.get_logger(__name__)
CLOSE_WAIT = datetime.timedelta(hours=6)  # after a month's end, for usage that comes late
CLOSE_WEEK = datetime.timedelta(days=7)  # after it the next month's close takes what is left


def close_periods(now: datetime.datetime | None = None) -> int:
    """Close last month for every account with something to bill; how many invoices and statements were made.

    Does nothing in the first hours of a month and after its first week. What fails for one account is logged, does not
    stop the others, and is tried again by the next run.  Source: billing.md 12.
    """
    now = now or timezone.now()
    month = month_of(now)
    if not month.starts_at + CLOSE_WAIT <= now < month.starts_at + CLOSE_WEEK:
        return 0
    period = name_of(month_before(month))
    closed = Invoice.objects.filter(account_id=OuterRef("pk"), period=period, kind__in=invoices.CLOSING_KINDS)
    of_account = Invoice.objects.filter(account_id=OuterRef("pk")).order_by()
    last = of_account.values("account_id").annotate(last=Max("last_seq")).values("last")
    waiting = (
        BillingAccount.objects.exclude(mode=BillingAccount.Mode.INTERNAL)
        .annotate(invoiced=Coalesce(Subquery(last), Value(0)))
        .exclude(Exists(closed))
        .exclude(posting_count=F("invoiced"), owed_nanos=0)
    )
    return _each(waiting.values_list("pk", flat=True), lambda account_id: invoices.close_period(account_id, period))


def issue_interims() -> int:
    """Bill every postpaid account that owes too much; how many invoices were made.  Source: billing.md 8.3."""
    least = settings.BILLING_INTERIM_THRESHOLD_CENTS * cents.nanos_per_minor("usd")
    owing = BillingAccount.objects.filter(mode=BillingAccount.Mode.POSTPAID, owed_nanos__gte=least)
    return _each(owing.values_list("pk", flat=True), invoices.issue_interim)


def _each(account_ids: Iterable[int], bill: Callable[[int], Invoice | None]) -> int:
    made = 0
    for account_id in list(account_ids):
        try:
            made += bill(account_id) is not None
        except (InvoiceDoesNotAddUp, PostingConflict, PostingRefused, DatabaseError):
            log.exception("invoice_failed", account_id=account_id)
    return made
