"""What spend limits have counted in their periods. Written only while the account's row is locked.

A counter starts with what was posted in its period, and with the holds that are open when it starts: work that runs
across the turn of an hour is held in both, so that neither hour's limit can be passed.  Source: billing.md 8.3, I23.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, F, Func, Q, QuerySet, Sum, Value

from billing.models import Hold, LimitScope, SpendCounter, SpendLimit, UsageRecord
from billing.periods import Period, period_of

# Holds of work. Others, as for money on its way back to a card, count on no limit.
WORK = Q(subject__startswith="prediction/") | Q(subject__startswith="instance/")


class Spending(Protocol):
    """What limits tell work apart by: a hold, a request for one, a usage record."""

    @property
    def token_id(self) -> int | None: ...
    @property
    def user_id(self) -> int | None: ...
    @property
    def deployment_name(self) -> str: ...


def applies(limit: SpendLimit, work: Spending) -> bool:
    """Does the limit count this work?"""
    keys = {
        LimitScope.ACCOUNT: "",
        LimitScope.TOKEN: str(work.token_id),
        LimitScope.MEMBER: str(work.user_id),
        LimitScope.DEPLOYMENT: work.deployment_name or None,
    }
    return keys[LimitScope(limit.scope)] == limit.scope_key


def current(account_id: int, now: datetime.datetime) -> list[SpendCounter]:
    """The counters of the periods that are running, each with its limit, by id; those that are missing start."""
    limits = list(SpendLimit.objects.filter(account_id=account_id))
    if not limits:
        return []
    starts = {limit.pk: period_of(limit.period, now).starts_at for limit in limits}
    rows = SpendCounter.objects.filter(limit__in=limits, starts_at__in=set(starts.values()))
    found = {row.limit_id: row for row in rows if row.starts_at == starts[row.limit_id]}
    for limit in limits:
        counter = found.get(limit.pk) or _start(limit, period_of(limit.period, now))
        counter.limit = limit
        found[limit.pk] = counter
    return sorted(found.values(), key=lambda counter: counter.pk)


def hold(amounts: Mapping[int, int]) -> None:
    """Add to what counters hold (nanos by counter; below zero to let go). Those of removed limits are gone."""
    for pk, amount in sorted(amounts.items()):
        if amount:
            SpendCounter.objects.filter(pk=pk).update(held_nanos=F("held_nanos") + amount)


def spend(account_id: int, records: Iterable[UsageRecord]) -> None:
    """Count records that were just posted, in the periods they occurred in.

    A period without a counter needs none: should it get one, that starts with what was posted.
    """
    limits = list(SpendLimit.objects.filter(account_id=account_id))
    amounts: defaultdict[tuple[int, datetime.datetime], int] = defaultdict(int)
    for record in records if limits else ():
        for limit in limits:
            if record.amount_nanos and applies(limit, record):
                amounts[limit.pk, period_of(limit.period, record.occurred_at).starts_at] += record.amount_nanos
    for (limit_id, starts_at), amount in sorted(amounts.items()):
        counter = SpendCounter.objects.filter(limit_id=limit_id, starts_at=starts_at)
        counter.update(spent_nanos=F("spent_nanos") + amount)


def _start(limit: SpendLimit, period: Period) -> SpendCounter:
    records = _of(limit, UsageRecord.objects.filter(account_id=limit.account_id, posting__isnull=False))
    records = records.filter(occurred_at__gte=period.starts_at, occurred_at__lt=period.ends_at)
    # The month is in the index, so that the hour's search does not read the years before it.
    records = records.filter(period=f"{period.starts_at:%Y-%m}")
    holds = _of(limit, Hold.objects.filter(WORK, account_id=limit.account_id, state=Hold.State.OPEN))
    counter = SpendCounter.objects.create(
        limit=limit,
        starts_at=period.starts_at,
        spent_nanos=records.aggregate(total=Sum("amount_nanos", default=0))["total"],
        held_nanos=holds.aggregate(total=Sum("amount_nanos", default=0))["total"],
    )
    ids = ArrayField(BigIntegerField())
    holds.update(counters=Func(F("counters"), Value(counter.pk), function="array_append", output_field=ids))
    return counter


def _of(limit: SpendLimit, rows: "QuerySet[Any]") -> "QuerySet[Any]":
    """The rows that the limit counts; as `applies`, in the database."""
    column = {LimitScope.TOKEN: "token_id", LimitScope.MEMBER: "user_id", LimitScope.DEPLOYMENT: "deployment_name"}
    scope = LimitScope(limit.scope)
    return rows if scope == LimitScope.ACCOUNT else rows.filter(**{column[scope]: limit.scope_key})
