"""What a run cost is given back: a correction beside its usage record, and the money in the same transaction.

Source: billing.md 6.4, 11.1.
"""

import datetime

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts import audit
from accounts.models import User
from billing import accounts, credit, holds, ledger, notices, posting, receipts, rollups
from billing.ledger import Entry
from billing.models import BillingAccount, CreditBucket, UsageRecord
from billing.money import Nanos, as_decimal_string, in_words
from billing.notices import MoneyEvent
from billing.refund_paths import Return, way_back
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed

_GOODWILL_DAYS = 30  # of what replaces credit that has expired meanwhile
_COPIED = [
    column.attname
    for column in UsageRecord._meta.concrete_fields
    if column.name not in {"id", "posting", "corrects", "reason", "created_at"}
]


def refund_usage(
    record: UsageRecord, *, reason: str, amount_nanos: int | None = None, actor: User | None = None
) -> UsageRecord | None:
    """Refund what is left of a record's charge, or a part of it; the correction, None where nothing is left.

    A whole refund that is asked for twice is made once. Usage that is not posted yet is posted first, so that there is
    a way back. amount_nanos: above 0. Raises ValidationFailed for more than is left, Conflict for a correction.
    """
    if record.corrects_id is not None:
        raise Conflict("This line corrects another one: refund that one.")
    with transaction.atomic():
        payer = accounts.lock(record.account_id)
        posting.post_pending(payer)
        record = UsageRecord.objects.select_related("posting__txn").get(pk=record.pk)
        left = left_to_refund(record)
        amount = left if amount_nanos is None else amount_nanos
        if amount_nanos is not None and not 0 < amount_nanos <= left:
            raise ValidationFailed([FieldError("/amount_nanos", f"Must be above 0 and at most {in_words(left)}.")])
        if not amount:
            return None
        correction = _correct(payer, record, left, amount, reason)
        notices.tell(
            payer.pk, MoneyEvent.REFUND_ISSUED, record.subject, amount=as_decimal_string(amount), reason=reason
        )
        if actor:
            audit.record(actor, "refund_usage", f"usage/{record.key}", reason=reason, amount=in_words(amount))
        accounts.tell_changed(payer.pk)
    return correction


def left_to_refund(record: UsageRecord) -> Nanos:
    """A record's charge less what was refunded of it."""
    refunded = record.corrections.aggregate(total=Sum("amount_nanos", default=0))["total"]
    return Nanos(record.amount_nanos + int(refunded))


def _correct(payer: BillingAccount, record: UsageRecord, left: int, amount: int, reason: str) -> UsageRecord:
    batch = record.posting
    assert batch is not None and batch.txn is not None, "what costs something is posted in a ledger transaction"
    back = way_back(batch, amount)
    correction = _correction(record, left, amount, reason)
    txn, _ = ledger.post(
        f"refund:usage:{correction.key}",
        "usage_refund",
        [Entry("service_credits", amount), *back.as_sides().entries(payer.pk)],
        currency=record.currency,
        meta={"reason": reason},
        corrects=batch.txn,
    )
    credit.give_back(txn, back.refilled)
    _add_buckets(payer.pk, correction.key, back)
    correction.posting = posting.add_posting(payer, txn, -amount, back.as_sides())
    correction.save(force_insert=True)
    rollups.merge(correction.posting)
    receipts.write_many(payer, [correction])
    holds.settle_many({correction.subject: correction.amount_nanos})
    return correction


def _correction(record: UsageRecord, left: int, amount: int, reason: str) -> UsageRecord:
    """The opposite record; a part of the charge takes as large a part of the quantity with it."""
    earlier = record.corrections.aggregate(quantity=Sum("quantity", default=0), gross=Sum("gross_nanos", default=0))
    correction = UsageRecord(**{name: getattr(record, name) for name in _COPIED})
    correction.key = f"{record.key}:c{record.corrections.count() + 1}"
    correction.quantity = -((record.quantity + earlier["quantity"]) * amount // left)
    correction.gross_nanos = -((record.gross_nanos + earlier["gross"]) * amount // left)
    correction.amount_nanos = -amount
    correction.corrects = record
    correction.reason = reason
    return correction


def _add_buckets(account_id: int, key: str, back: Return) -> None:
    """Goodwill for credit that has expired, paid credit for an overrun that a payment has covered meanwhile."""
    now = timezone.now()
    if back.goodwill_nanos:
        credit.add_bucket(
            account_id,
            kind=CreditBucket.Kind.GOODWILL,
            amount_nanos=back.goodwill_nanos,
            source=f"refund:{key}:goodwill",
            reason="Refund of credit that has expired",
            expires_at=now + datetime.timedelta(days=_GOODWILL_DAYS),
        )
    if back.paid_nanos:
        credit.add_bucket(
            account_id,
            kind=CreditBucket.Kind.PAID,
            amount_nanos=back.paid_nanos,
            source=f"refund:{key}:paid",
            reason="Refund",
            expires_at=credit.paid_expiry(now),
        )
