"""Credit in buckets: granted, used in order, given back where it came from.  Source: billing.md 9.1.

All run in the caller's transaction, which holds the account's `BillingAccount` row (`billing.accounts.lock`), so that
no two decide over the same buckets.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet, Sum

from accounts import audit
from accounts.models import Account, User
from billing import accounts, ledger
from billing.ledger import Entry
from billing.models import BillingAccount, BucketConsumption, CreditBucket, LedgerTxn
from billing.money import Nanos, in_words
from marketplace.lib.ids import new_id
from marketplace.lib.problems import FieldError, ValidationFailed


@dataclass(frozen=True, slots=True)
class Taken:
    """What is to be taken from one bucket."""

    bucket: CreditBucket
    amount_nanos: int

    @property
    def is_paid(self) -> bool:
        """Does it lie on the wallet, not on promo?"""
        return self.bucket.kind == CreditBucket.Kind.PAID


def grant(
    account: Account,
    *,
    amount_nanos: int,
    source: str = "",
    reason: str = "",
    kind: CreditBucket.Kind = CreditBucket.Kind.PROMO,
    actor: User | None = None,
    expires_at: datetime.datetime | None = None,
) -> CreditBucket:
    """Give an account free credit, once per source; an internal account becomes a prepaid one.

    amount_nanos: above 0. kind: PROMO or GOODWILL. Raises ValidationFailed.  Source: billing.md 6.3, 9.1.
    """
    if amount_nanos <= 0:
        raise ValidationFailed([FieldError("/amount_nanos", "Must be above 0.")])
    source = source or f"grant:{new_id()}"
    with transaction.atomic():
        payer = accounts.lock(account.pk)
        if existing := CreditBucket.objects.filter(source=source).first():
            return existing
        if payer.mode == BillingAccount.Mode.INTERNAL:
            from billing import modes  # it posts what was used until now, and posting takes from buckets

            modes.note_payment(payer)
        bucket = add_bucket(
            account.pk,
            kind=kind,
            amount_nanos=amount_nanos,
            source=source,
            reason=reason,
            actor=actor,
            expires_at=expires_at,
        )
        entries = [Entry("promo_cost", amount_nanos), Entry(f"promo:{account.pk}", -amount_nanos)]
        ledger.post(f"grant:{bucket.pk}", "grant", entries, meta={"reason": reason})
        if actor:
            amount = in_words(amount_nanos)
            audit.record(actor, "grant_credit", f"account/{account.username}", reason=reason, amount=amount)
        accounts.tell_changed(account.pk)
    return bucket


def withdraw(account: Account, *, amount_nanos: int, reason: str, actor: User) -> Nanos:
    """Take free credit back, as much as is left of it, at most `amount_nanos` (above 0); what was taken."""
    with transaction.atomic():
        accounts.lock(account.pk)
        taken = [one for one in plan(account.pk, amount_nanos, only_free=True) if one.amount_nanos]
        amount = sum(one.amount_nanos for one in taken)
        if amount:
            key = f"withdrawal:{new_id()}"
            entries = [Entry(f"promo:{account.pk}", amount), Entry("promo_cost", -amount)]
            txn, _ = ledger.post(key, "grant_withdrawn", entries, meta={"reason": reason})
            consume(txn, taken)
            shown = in_words(amount)
            audit.record(actor, "withdraw_credit", f"account/{account.username}", reason=reason, amount=shown)
            accounts.tell_changed(account.pk)
    return Nanos(amount)


def add_bucket(
    account_id: int,
    *,
    kind: CreditBucket.Kind,
    amount_nanos: int,
    source: str,
    reason: str = "",
    actor: User | None = None,
    expires_at: datetime.datetime | None = None,
) -> CreditBucket:
    """A new bucket; the posting that fills it is the caller's, in the same transaction."""
    return CreditBucket.objects.create(
        account_id=account_id,
        kind=kind,
        granted_nanos=amount_nanos,
        remaining_nanos=amount_nanos,
        priority=CreditBucket.PRIORITIES[kind],
        expires_at=expires_at,
        source=source,
        reason=reason,
        created_by=actor,
    )


def fill_wallet(
    txn: LedgerTxn,
    account_id: int,
    *,
    amount_nanos: int,
    source: str,
    reason: str = "",
    expires_at: datetime.datetime | None = None,
) -> CreditBucket:
    """The bucket of a new posting that credited the wallet with `amount_nanos`. An overrun is taken out of it first.

    Call it right after `ledger.post` in its transaction. source: unique, a PaymentIntent's id. With a top-up of 10 on
    a wallet of −2, 8 remain: paid buckets less the overrun are always the wallet.  Source: billing.md 8.2, 9.1.
    """
    bucket = add_bucket(
        account_id,
        kind=CreditBucket.Kind.PAID,
        amount_nanos=amount_nanos,
        source=source,
        reason=reason,
        expires_at=expires_at,
    )
    if used := min(overrun(account_id), amount_nanos):
        consume(txn, [Taken(bucket, used)])
        bucket.refresh_from_db()
    return bucket


def paid_expiry(now: datetime.datetime) -> datetime.datetime | None:
    """When credit that is bought now expires; None: never."""
    days = settings.BILLING_CREDIT_EXPIRY_DAYS
    return now + datetime.timedelta(days=days) if days else None


def overrun(account_id: int) -> Nanos:
    """How much less the wallet has than its buckets hold: usage that no credit was left for."""
    paid = CreditBucket.objects.filter(account_id=account_id, kind=CreditBucket.Kind.PAID)
    held = int(paid.aggregate(total=Sum("remaining_nanos", default=0))["total"])
    return Nanos(max(0, held + ledger.balance(f"wallet:{account_id}")))


def in_order(buckets: QuerySet[CreditBucket]) -> QuerySet[CreditBucket]:
    """In the order in which credit is used.  Source: billing.md 9.1."""
    return buckets.order_by("priority", F("expires_at").asc(nulls_last=True), "created_at", "pk")


def plan(account_id: int, amount_nanos: int, *, only_free: bool = False) -> list[Taken]:
    """Which buckets pay an amount, in their order; together less than it where there is too little credit.

    Frozen buckets and those that a job has expired pay nothing.  Source: billing.md 9.1.
    """
    rows = CreditBucket.objects.filter(account_id=account_id, remaining_nanos__gt=0, is_frozen=False)
    if only_free:
        rows = rows.exclude(kind=CreditBucket.Kind.PAID)
    taken: list[Taken] = []
    for bucket in in_order(rows):
        if amount_nanos <= 0:
            break
        part = min(amount_nanos, bucket.remaining_nanos)
        taken.append(Taken(bucket, part))
        amount_nanos -= part
    return taken


def plan_return(account_id: int, amount_nanos: int, *, first: CreditBucket | None) -> list[Taken]:
    """Which bought credit goes back to a card: of the payment's own bucket, then of the others in their order.

    Together less than the amount where it was used: the rest is an overrun.  Source: billing.md 11.2.
    """
    own = [first] if first else []
    paid = CreditBucket.objects.filter(account_id=account_id, kind=CreditBucket.Kind.PAID, is_frozen=False)
    others = paid.exclude(pk__in=[bucket.pk for bucket in own])
    taken: list[Taken] = []
    for bucket in [*own, *in_order(others)]:
        if part := min(amount_nanos, bucket.remaining_nanos):
            taken.append(Taken(bucket, part))
            amount_nanos -= part
    return taken


def consume(txn: LedgerTxn, taken: Sequence[Taken]) -> None:
    """Take what `plan` said, for a posting."""
    for one in taken:
        CreditBucket.objects.filter(pk=one.bucket.pk).update(remaining_nanos=F("remaining_nanos") - one.amount_nanos)
    BucketConsumption.objects.bulk_create(
        BucketConsumption(txn=txn, bucket=one.bucket, amount_nanos=one.amount_nanos) for one in taken
    )


def give_back(txn: LedgerTxn, returned: Sequence[Taken]) -> None:
    """Put back into buckets what was taken from them, for a posting."""
    for one in returned:
        CreditBucket.objects.filter(pk=one.bucket.pk).update(remaining_nanos=F("remaining_nanos") + one.amount_nanos)
    BucketConsumption.objects.bulk_create(
        BucketConsumption(txn=txn, bucket=one.bucket, amount_nanos=-one.amount_nanos) for one in returned
    )
