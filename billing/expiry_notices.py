"""Who bought credit is told 30 and 7 days before what is left of it expires.  Source: billing.md 9.1."""

import datetime

from django.db import transaction

from billing import accounts, mails
from billing.models import CreditBucket
from billing.money import in_words

DAYS_BEFORE = (30, 7)
_BATCH = 500


def send_due(now: datetime.datetime) -> int:
    """Send each notice that is due at `now`, once; how many. One that was missed until the next is left out."""
    return sum(_send(bucket_id, account_id, now) for bucket_id, account_id in _expiring(now))


def _expiring(now: datetime.datetime) -> list[tuple[int, int]]:
    soon = now + datetime.timedelta(days=max(DAYS_BEFORE))
    bought = CreditBucket.objects.filter(kind=CreditBucket.Kind.PAID, remaining_nanos__gt=0, expired_at=None)
    last = now + datetime.timedelta(days=min(DAYS_BEFORE))
    due = bought.filter(expires_at__gt=last, expires_at__lte=soon).exclude(notices_sent__contains=[max(DAYS_BEFORE)])
    due |= bought.filter(expires_at__gt=now, expires_at__lte=last).exclude(notices_sent__contains=[min(DAYS_BEFORE)])
    return list(due.order_by("expires_at").values_list("pk", "account_id")[:_BATCH])


def _send(bucket_id: int, account_id: int, now: datetime.datetime) -> bool:
    """False if another process was quicker, or the credit was used meanwhile."""
    with transaction.atomic():
        accounts.lock(account_id)
        bucket = CreditBucket.objects.get(pk=bucket_id)
        assert bucket.expires_at is not None
        days = min(day for day in DAYS_BEFORE if bucket.expires_at - now <= datetime.timedelta(days=day))
        if days in bucket.notices_sent or not bucket.remaining_nanos:
            return False
        CreditBucket.objects.filter(pk=bucket_id).update(notices_sent=[*bucket.notices_sent, days])
        text = f"{in_words(bucket.remaining_nanos)} of the credit you bought expires on {bucket.expires_at:%d %B %Y}."
        mails.send_after_commit(account_id, "Credit expires soon", f"{text} Credit that expires first is used first.")
    return True
