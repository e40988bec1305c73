"""Volume discounts: what a month's usage earns so far, less what was posted for it already.

A cumulative function, so that neither order nor batches nor late usage nor refunds matter.  Source: billing.md 10.
"""

import datetime
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from billing import accounts, credit, ledger
from billing.credit import Taken
from billing.ledger import Entry
from billing.models import BillingAccount, CreditBucket, LedgerTxn, UsageRollup
from billing.money import NANOS_PER_UNIT, Nanos, round_half_even
from billing.periods import month_before, month_of, name_of
from billing.reports import days_of

Tiers = Sequence[tuple[int, int]]  # (from so many whole units on, percent), ascending


def earned(usage_nanos: int, tiers: Tiers) -> Nanos:
    """The discount on a month's usage: each tier's percent of the part that lies in it, rounded half-even once.

    Never below 0 nor above the usage. With 5 % from $1,000 and 10 % from $10,000, $12,000 earn $650.
    """
    hundredfold, before = 0, 0
    for start, percent in tiers:
        hundredfold += max(0, usage_nanos - start * NANOS_PER_UNIT) * (percent - before)
        before = percent
    return Nanos(round_half_even(hundredfold, 100))


def settle(account_id: int, period: str) -> LedgerTxn | None:
    """Post the difference between what a month (`YYYY-MM`) has earned and what was posted; None where there is none."""
    with transaction.atomic():
        return settle_locked(accounts.lock(account_id), period)


def settle_locked(payer: BillingAccount, period: str) -> LedgerTxn | None:
    """`settle` in the transaction of a caller who holds the account's lock."""
    if not settings.BILLING_DISCOUNT_TIERS or not payer.is_charged:
        return None
    prefix = f"disc:{payer.account_id}:{period}:"
    count, posted = ledger.posted_so_far(prefix, "discounts")
    difference = earned(usage_of(payer.account_id, period), settings.BILLING_DISCOUNT_TIERS) - posted
    if not difference:
        return None
    key = f"{prefix}{count + 1}"
    is_postpaid = payer.mode == BillingAccount.Mode.POSTPAID
    target = f"{'unbilled' if is_postpaid else 'wallet'}:{payer.account_id}"
    entries = [Entry("discounts", difference), Entry(target, -difference)]
    txn, _ = ledger.post(key, "discount", entries, currency=payer.currency, meta={"period": period})
    if not is_postpaid:
        _move_credit(payer.account_id, txn, difference)
    accounts.tell_changed(payer.account_id)
    return txn


def usage_of(account_id: int, period: str) -> Nanos:
    """What was charged and posted of a month, before discounts and credit; a quote's cap is a part of the price."""
    days = days_of(period)
    used = UsageRollup.objects.filter(account_id=account_id, day__range=(days[0], days[-1]))
    return Nanos(int(used.aggregate(total=Sum("amount_nanos", default=0))["total"]))


def settle_all(now: datetime.datetime | None = None) -> int:
    """Settle this month and the one before for every account that has earned something; how many were posted."""
    if not settings.BILLING_DISCOUNT_TIERS:
        return 0
    this_month = month_of(now or timezone.now())
    return sum(
        settle(account_id, period) is not None
        for period in (name_of(month_before(this_month)), name_of(this_month))
        for account_id in _accounts_to_settle(period)
    )


def _accounts_to_settle(period: str) -> list[int]:
    """Those whose usage reaches the first tier, and those that had a discount: refunds may have taken it away."""
    least = settings.BILLING_DISCOUNT_TIERS[0][0] * NANOS_PER_UNIT
    days = days_of(period)
    used = UsageRollup.objects.filter(day__range=(days[0], days[-1])).values("account_id")
    reached = used.annotate(total=Sum("amount_nanos")).filter(total__gt=least).order_by()
    # An index leads to them: each has been used in the month, and a discount's key begins with its account and month.
    had = [
        row["account_id"]
        for row in used.distinct()
        if LedgerTxn.objects.filter(key__startswith=f"disc:{row['account_id']}:{period}:").exists()
    ]
    return sorted({*had, *(row["account_id"] for row in reached)})


def _move_credit(account_id: int, txn: LedgerTxn, amount_nanos: int) -> None:
    """Keep buckets equal to the wallet: a discount pays an overrun first, and taking it back may make one."""
    if amount_nanos > 0:
        credit.fill_wallet(txn, account_id, amount_nanos=amount_nanos, source=txn.key, reason="Volume discount")
        return
    taken: list[Taken] = []
    missing = -amount_nanos
    paid = CreditBucket.objects.filter(account_id=account_id, kind=CreditBucket.Kind.PAID, remaining_nanos__gt=0)
    for bucket in paid.order_by("-created_at", "-pk"):
        part = min(missing, bucket.remaining_nanos)
        taken += [Taken(bucket, part)] if part else []
        missing -= part
    credit.consume(txn, taken)
