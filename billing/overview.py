"""What an account has, spends and is warned of, in one look.  Source: billing.md 15.2.

Burn rate: the mean of the last seven days, of fewer for who began within them. Reads only.
"""

import datetime
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet, Sum

from billing import credit, reports
from billing.models import BillingAccount, CreditBucket, Hold, UsageRecord
from billing.money import Nanos

_BURN_DAYS = 7
_MOST_DAYS_LEFT = 999


@dataclass(frozen=True, slots=True)
class Overview:
    """balance: credit that is left, below zero by an overrun; promo: free credit in it. available: for new work.

    month: used in this month of UTC, posted or not. days_left: None where nothing is spent or nothing limits it.
    """

    is_charged: bool
    mode: str
    status: str
    balance_nanos: Nanos
    promo_nanos: Nanos
    held_nanos: Nanos
    held_count: int
    owed_nanos: Nanos
    credit_line_nanos: Nanos
    available_nanos: Nanos
    month: datetime.date
    month_nanos: Nanos
    burn_nanos: Nanos
    forecast_nanos: Nanos
    days_left: int | None


def overview(payer: BillingAccount, *, now: datetime.datetime) -> Overview:
    """The figures at a moment (aware). payer: the account's row, as `billing.accounts.billing_account` makes it."""
    today = now.astimezone(datetime.UTC).date()
    month = today.replace(day=1)
    since = min(month, today - datetime.timedelta(days=_BURN_DAYS - 1))
    used = reports.used_between(payer.pk, since, today)
    in_month = sum(amount for day, amount in used.items() if day >= month)
    burn = _burn(used, today)
    holds = _open_holds(payer.pk).aggregate(number=Count("pk"))
    unposted = _unposted(payer.pk)
    available = payer.available_nanos - unposted
    return Overview(
        is_charged=payer.is_charged,
        mode=payer.mode,
        status=payer.status,
        balance_nanos=Nanos(payer.spendable_nanos - unposted),
        promo_nanos=Nanos(_promo(payer.pk)),
        held_nanos=Nanos(payer.held_nanos),
        held_count=holds["number"],
        owed_nanos=Nanos(payer.owed_nanos),
        credit_line_nanos=Nanos(payer.credit_limit_nanos if payer.mode == BillingAccount.Mode.POSTPAID else 0),
        available_nanos=Nanos(available),
        month=month,
        month_nanos=Nanos(in_month),
        burn_nanos=Nanos(burn),
        forecast_nanos=Nanos(in_month + burn * (reports.days_of(f"{month:%Y-%m}")[-1] - today).days),
        days_left=min(max(available, 0) // burn, _MOST_DAYS_LEFT) if payer.is_charged and burn > 0 else None,
    )


def list_buckets(account_id: int) -> QuerySet[CreditBucket]:
    """Credit that is left, in the order in which it is used."""
    return credit.in_order(CreditBucket.objects.filter(account_id=account_id, remaining_nanos__gt=0))


def _burn(used: dict[datetime.date, int], today: datetime.date) -> int:
    recent = {day: used[day] for day in used if (today - day).days < _BURN_DAYS}
    if not recent:
        return 0
    days = (today - min(recent)).days + 1 if min(used) == min(recent) else _BURN_DAYS
    return sum(recent.values()) // days


def _open_holds(account_id: int) -> QuerySet[Hold]:
    return Hold.objects.filter(account_id=account_id, state=Hold.State.OPEN)


def _unposted(account_id: int) -> int:
    records = UsageRecord.objects.filter(account_id=account_id, posting=None)
    return int(records.aggregate(total=Sum("amount_nanos", default=0))["total"])


def _promo(account_id: int) -> int:
    free = CreditBucket.objects.filter(~Q(kind=CreditBucket.Kind.PAID), account_id=account_id)
    return int(free.aggregate(total=Sum("remaining_nanos", default=0))["total"])
