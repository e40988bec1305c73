"""Credit whose time is over is posted away, each bucket once.  Source: billing.md 6.3, 9.1."""

import datetime

from django.db import transaction

from billing import accounts, credit, ledger, posting
from billing.credit import Taken
from billing.ledger import Entry
from billing.models import CreditBucket

_BATCH = 500


def expire_due(now: datetime.datetime) -> int:
    """Expire every bucket whose time is over at `now`; how many. Those of a disputed payment wait for its outcome."""
    due = CreditBucket.objects.filter(expires_at__lte=now, expired_at=None, is_frozen=False)
    buckets = list(due.order_by("expires_at").values_list("pk", "account_id")[:_BATCH])
    return sum(_expire(bucket_id, account_id, now) for bucket_id, account_id in buckets)


def _expire(bucket_id: int, account_id: int, now: datetime.datetime) -> bool:
    """After what the account used until now was taken from it; False if another process was quicker."""
    with transaction.atomic():
        payer = accounts.lock(account_id)
        posting.post_pending(payer)
        bucket = CreditBucket.objects.get(pk=bucket_id)
        if bucket.expired_at is not None or bucket.is_frozen:
            return False
        if bucket.remaining_nanos and not _post_away(bucket):
            return False
        CreditBucket.objects.filter(pk=bucket.pk).update(expired_at=now)
        accounts.tell_changed(account_id)
    return True


def _post_away(bucket: CreditBucket) -> bool:
    """Free credit back to its cost, bought credit to breakage, less what of it covers an overrun.

    False where an overrun needs all of it: it stays for the usage or the payment that comes next.
    """
    rest, account_id = bucket.remaining_nanos, bucket.account_id
    if bucket.kind == CreditBucket.Kind.PAID:
        rest -= min(rest, credit.overrun(account_id))
        key, kind, lies_on, goes_to = f"bucket:{bucket.pk}:expired", "credit_expired", "wallet", "breakage"
    else:
        key, kind, lies_on, goes_to = f"grant:{bucket.pk}:expired", "grant_expired", "promo", "promo_cost"
    if not rest:
        return False
    txn, _ = ledger.post(key, kind, [Entry(f"{lies_on}:{account_id}", rest), Entry(goes_to, -rest)])
    credit.consume(txn, [Taken(bucket, bucket.remaining_nanos)])
    return True
