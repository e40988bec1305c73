"""Publishers' shares: what others' paid usage of their models earned so far, less what was posted for it already.

A cumulative function like discounts, so refunds and late usage adjust it by themselves, below zero if need be.
Source: billing.md 13.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from accounts import audit
from accounts.models import Account, User
from billing import accounts, discounts, ledger
from billing.cents import nanos_per_minor
from billing.ledger import Entry
from billing.models import LedgerEntry, LedgerTxn, PublisherAgreement, PublisherPayout, UsageRecord
from billing.money import Nanos, in_words, round_half_even
from billing.periods import month_before, month_of, name_of
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed


@dataclass(frozen=True, slots=True)
class Earning:
    """What one account's usage of a model on a day counts, in nanos, by one agreement. Never told: whose it was."""

    account_id: int
    day: datetime.date
    model_name: str
    percent: int
    counted_nanos: int
    runs: int


def accrue(owner: Account, period: str) -> LedgerTxn | None:
    """Post the difference between what a month (`YYYY-MM`) has earned a publisher and what was posted."""
    with transaction.atomic():
        accounts.lock(owner.pk)
        prefix = f"share:{owner.pk}:{period}:"
        count, posted = ledger.posted_so_far(prefix, "publisher_cost")
        difference = earned(owner, period) - posted
        if not difference:
            return None
        entries = [Entry("publisher_cost", difference), Entry(f"publisher:{owner.pk}", -difference)]
        key = f"{prefix}{count + 1}"
        return ledger.post(key, "publisher_share", entries, meta={"period": period})[0]


def earned(owner: Account, period: str) -> Nanos:
    """The share of a month's usage so far: after discounts and refunds, rounded once for each account and percent."""
    counted: dict[tuple[int, int], int] = defaultdict(int)
    for earning in earnings(owner, period):
        counted[earning.account_id, earning.percent] += earning.counted_nanos
    total = 0
    for (account_id, percent), nanos in counted.items():
        paid, usage = _after_discount(account_id, period)
        total += round_half_even(nanos * percent * paid, 100 * usage)
    return Nanos(total)


def earnings(owner: Account, period: str) -> Iterator[Earning]:
    """All that counts of a month, by account, day and model, before discounts."""
    for agreement, theirs in _agreements_with_usage(owner, period):
        sums: dict[tuple[int, datetime.date, str], list[int]] = defaultdict(lambda: [0, 0])
        for row in _by_batch(theirs):
            promo = 0 if agreement.counts_promo else row["promo"]
            paid = row["batch_amount"] - promo - row["internal"]
            part = sums[row["account_id"], row["day"], row["model_name"]]
            part[0] += round_half_even(row["amount"] * paid, row["batch_amount"]) if row["batch_amount"] > 0 else 0
            part[1] += row["runs"]
        for (account_id, day, model_name), (nanos, runs) in sorted(sums.items()):
            yield Earning(account_id, day, model_name, agreement.percent, nanos, runs)


def accrue_all(now: datetime.datetime | None = None) -> int:
    """Accrue this month and the one before for every publisher with an agreement; how many postings."""
    this_month = month_of(now or timezone.now())
    periods = (name_of(month_before(this_month)), name_of(this_month))
    owners = Account.objects.filter(pk__in=PublisherAgreement.objects.values("owner")).order_by("pk")
    return sum(accrue(owner, period) is not None for period in periods for owner in owners)


def payable(owner: Account, now: datetime.datetime | None = None) -> Nanos:
    """What may be paid out now, in whole cents: 0 below the minimum. Shares wait for their hold; what lowers them not.

    Raises Conflict for an account without an agreement.
    """
    agreements = list(PublisherAgreement.objects.filter(owner=owner))
    if not agreements:
        raise Conflict("The account has no agreement.")
    code = f"publisher:{owner.pk}"
    held_since = (now or timezone.now()) - datetime.timedelta(days=max(one.hold_days for one in agreements))
    fresh = LedgerEntry.objects.filter(
        code=code, amount_nanos__lt=0, txn__kind="publisher_share", txn__effective_at__gt=held_since
    )
    held = -int(fresh.aggregate(all=Sum("amount_nanos", default=0))["all"])
    free = -ledger.balance(code) - held
    if free < max(one.min_payout_nanos for one in agreements):
        return Nanos(0)
    return Nanos(free - free % nanos_per_minor("usd"))


def pay_out(actor: User, owner: Account, *, amount_nanos: int, reference: str) -> PublisherPayout:
    """An operator has transferred money to a publisher; the same reference again is the same payout.

    amount_nanos: above 0, at most what is payable. Raises ValidationFailed, Conflict.
    """
    if not reference.strip():
        raise ValidationFailed([FieldError("/reference", "Must name the transfer.")])
    with transaction.atomic():
        accounts.lock(owner.pk)
        if existing := PublisherPayout.objects.filter(owner=owner, reference=reference.strip()).first():
            return existing
        most = payable(owner)
        if not 0 < amount_nanos <= most:
            raise ValidationFailed([FieldError("/amount_nanos", f"Must be above 0 and at most {in_words(most)}.")])
        payout = PublisherPayout.objects.create(
            owner=owner, amount_nanos=amount_nanos, reference=reference.strip(), created_by=actor
        )
        entries = [Entry(f"publisher:{owner.pk}", amount_nanos), Entry("bank", -amount_nanos)]
        ledger.post(f"pubpay:{payout.pk}", "publisher_paid", entries, meta={"reference": payout.reference})
        shown = in_words(amount_nanos)
        audit.record(actor, "pay_publisher", f"account/{owner.username}", reason=payout.reference, amount=shown)
    return payout


def _agreements_with_usage(owner: Account, period: str) -> "Iterator[tuple[PublisherAgreement, Q]]":
    """Each agreement with what it governs: from its start to the next one's; a model's own goes before the general."""
    agreements = list(PublisherAgreement.objects.filter(owner=owner).order_by("effective_from", "pk"))
    others = Q(period=period, posting__isnull=False, model_name__startswith=f"{owner.username}/")
    others &= ~Q(account_id=owner.pk)
    if owner.user_id is not None:
        others &= ~Q(user_id=owner.user_id) | Q(user_id=None)
    for index, agreement in enumerate(agreements):
        governed = others & Q(occurred_at__gte=agreement.effective_from)
        later = [one for one in agreements[index + 1 :] if one.model_name == agreement.model_name]
        if later:
            governed &= Q(occurred_at__lt=later[0].effective_from)
        if agreement.model_name:
            governed &= Q(model_name=agreement.model_name)
        else:
            for own in agreements:
                if own.model_name:
                    governed &= ~Q(model_name=own.model_name, occurred_at__gte=own.effective_from)
        yield agreement, governed


def _by_batch(governed: Q) -> Iterator[Mapping[str, Any]]:
    """Sums by account, day, model and the batch that says who paid; a correction goes by the batch of its original."""
    rows = (
        UsageRecord.objects.filter(governed)
        .annotate(
            day=TruncDate("occurred_at", tzinfo=datetime.UTC),
            batch_amount=Coalesce("corrects__posting__amount_nanos", "posting__amount_nanos"),
            promo=Coalesce("corrects__posting__promo_nanos", "posting__promo_nanos"),
            internal=Coalesce("corrects__posting__internal_nanos", "posting__internal_nanos"),
            batch=Coalesce("corrects__posting_id", F("posting_id")),
        )
        .values("account_id", "day", "model_name", "batch", "batch_amount", "promo", "internal")
        .annotate(amount=Sum("amount_nanos"), runs=Count("subject", distinct=True, filter=Q(corrects=None)))
        .order_by("account_id", "day", "model_name", "batch")
    )
    yield from rows.iterator(chunk_size=2_000)


def _after_discount(account_id: int, period: str) -> tuple[int, int]:
    """(what an account's month costs after its volume discount, before it)."""
    usage = discounts.usage_of(account_id, period)
    if usage <= 0 or not settings.BILLING_DISCOUNT_TIERS:
        return 1, 1
    return usage - discounts.earned(usage, settings.BILLING_DISCOUNT_TIERS), usage
