"""Usage of a span of days, summed by what is asked for: from the roll-ups, and from what is not posted yet.

Source: billing.md 15.1, 16.4.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from accounts.models import ApiToken, User
from billing.models import UsageRecord, UsageRollup
from billing.money import Nanos

# What usage can be grouped by, and the column that has it. Meters are never added together.
GROUPS: Mapping[str, str] = {
    "day": "day",
    "model": "model_name",
    "version": "version_id",
    "deployment": "deployment_name",
    "hardware": "hardware",
    "token": "token_id",
    "member": "user_id",
}


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """One row. keys: by the groups asked for, "" for no token, member or deployment. quantity: of the meter, in base
    units. runs: that used the meter; corrections are none.
    """

    keys: Mapping[str, str]
    meter: str
    quantity: int
    runs: int
    gross_nanos: Nanos
    amount_nanos: Nanos


def usage_by(account_id: int, first: datetime.date, last: datetime.date, groups: Sequence[str]) -> list[UsageGroup]:
    """An account's usage from one day to another, both included, in the order of the groups.

    groups: names of GROUPS, each once; none: one row for each meter.
    """
    columns = [GROUPS[name] for name in groups]
    rollups = UsageRollup.objects.filter(account_id=account_id, day__range=(first, last))
    records = UsageRecord.objects.filter(account_id=account_id, posting=None)
    fresh: QuerySet[Any] = records.annotate(day=TruncDate("occurred_at", tzinfo=datetime.UTC))
    runs_of_records = Count("subject", distinct=True, filter=Q(corrects=None))
    sums: dict[tuple[str, ...], list[int]] = {}
    for rows, runs in ((rollups, Sum("runs")), (fresh.filter(day__range=(first, last)), runs_of_records)):
        for row in _summed(rows, runs, [*columns, "meter"]):
            key = tuple("" if row[column] is None else str(row[column]) for column in [*columns, "meter"])
            numbers = [int(row[name]) for name in ("sum_quantity", "sum_runs", "sum_gross", "sum_amount")]
            sums[key] = [one + other for one, other in zip(sums.get(key, [0] * 4), numbers, strict=True)]
    return [
        UsageGroup(
            keys=dict(zip(groups, key, strict=False)),
            meter=key[-1],
            quantity=quantity,
            runs=runs,
            gross_nanos=Nanos(gross),
            amount_nanos=Nanos(amount),
        )
        for key, (quantity, runs, gross, amount) in sorted(sums.items())
    ]


def _summed(rows: QuerySet[Any], runs: Any, columns: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    grouped: Iterable[Mapping[str, Any]] = (
        rows.values(*columns)
        .annotate(sum_quantity=Sum("quantity"), sum_runs=runs)
        .annotate(sum_gross=Sum(F("gross_nanos")), sum_amount=Sum(F("amount_nanos")))
        .order_by()
    )
    return grouped


def token_names(account_id: int, groups: Iterable[UsageGroup]) -> dict[str, str]:
    """The names of the tokens that usage is grouped by, by their ids as text; of deleted ones there are none."""
    ids = {int(group.keys["token"]) for group in groups if group.keys.get("token")}
    found = ApiToken.objects.filter(account_id=account_id, pk__in=ids)
    return {str(pk): name for pk, name in found.values_list("pk", "name")}


def member_names(user_ids: Iterable[int]) -> dict[str, str]:
    """The names of members by their ids as text; of deleted ones there are none."""
    return {str(pk): name for pk, name in User.objects.filter(pk__in=set(user_ids)).values_list("pk", "username")}
