"""Which way the money of a refund goes: back along the path it came, what was taken last first.

One record's part of a batch can't be told from another's, so the batch's path is walked: what was refunded of the
batch before is skipped, the next part of it is given back.  Source: billing.md 6.4, 9.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from django.db.models import Sum
from django.utils import timezone

from billing import credit
from billing.credit import Taken
from billing.models import CreditBucket, LedgerEntry, UsagePosting
from billing.posting import Sides

Side = Literal["promo", "wallet", "unbilled", "internal"]


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a path. bucket: None for an overrun of the wallet, and for what is owed."""

    side: Side
    amount_nanos: int
    bucket: CreditBucket | None = None


@dataclass(slots=True)
class Return:
    """Where a refund goes: into `refilled` buckets, new ones of `goodwill_nanos` and `paid_nanos`, what is owed."""

    sides: dict[Side, int] = field(default_factory=dict)
    refilled: list[Taken] = field(default_factory=list)
    goodwill_nanos: int = 0
    paid_nanos: int = 0

    def add(self, side: Side, amount: int) -> None:
        """So much on this side."""
        self.sides[side] = self.sides.get(side, 0) + amount

    def as_sides(self) -> Sides:
        """As a posting has them: below zero."""
        return Sides(**{side: -amount for side, amount in self.sides.items()})


def way_back(batch: UsagePosting, amount: int) -> Return:
    """Where the next `amount` of a posted batch goes, decided under its account's lock.

    Credit that has expired meanwhile comes as goodwill. On the wallet an overrun of now is covered first.
    """
    overrun, back = int(credit.overrun(batch.account_id)), Return()
    for step in _next_steps(batch, amount):
        covered = 0
        if step.side == "wallet":
            covered = min(overrun, step.amount_nanos)
            overrun -= covered
            back.add("wallet", covered)
        rest = step.amount_nanos - covered
        if step.bucket is None:
            back.add(step.side, rest)
            back.paid_nanos += rest if step.side == "wallet" else 0
        elif _is_over(step.bucket):
            back.add("promo", rest)
            back.goodwill_nanos += rest
        elif rest:
            back.add(step.side, rest)
            back.refilled.append(Taken(step.bucket, rest))
    return back


def _next_steps(batch: UsagePosting, amount: int) -> Iterator[Step]:
    assert batch.txn is not None, "what costs nothing has no path"
    refunds = LedgerEntry.objects.filter(txn__corrects=batch.txn, txn__kind="usage_refund", code="service_credits")
    skip = int(refunds.aggregate(total=Sum("amount_nanos", default=0))["total"])
    for step in reversed(_path(batch)):
        skipped = min(skip, step.amount_nanos)
        part = min(amount, step.amount_nanos - skipped)
        skip, amount = skip - skipped, amount - part
        if part:
            yield Step(step.side, part, step.bucket)


def _path(batch: UsagePosting) -> list[Step]:
    """In the order in which it was taken."""
    assert batch.txn is not None
    taken = [
        Taken(use.bucket, use.amount_nanos) for use in batch.txn.consumptions.select_related("bucket").order_by("pk")
    ]
    overrun = batch.wallet_nanos - sum(one.amount_nanos for one in taken if one.is_paid)
    return [
        *(Step("wallet" if one.is_paid else "promo", one.amount_nanos, one.bucket) for one in taken),
        Step("wallet", overrun),
        Step("unbilled", batch.unbilled_nanos),
        Step("internal", batch.internal_nanos),
    ]


def _is_over(bucket: CreditBucket) -> bool:
    return bucket.expired_at is not None or (bucket.expires_at is not None and bucket.expires_at <= timezone.now())
