"""What usage brought in a month, for operators: by day and model, by hardware, by model, with publishers' parts.

From the roll-ups of posted usage, internal accounts apart: theirs is no revenue.  Source: billing.md 15.3.
"""

import datetime
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, Sum

from billing import reports
from billing.models import BillingAccount, UsageRollup
from billing.money import Nanos


@dataclass(frozen=True, slots=True)
class RevenueLine:
    """key: a model or a SKU; charged: of customers; internal: what internal accounts' usage would have cost."""

    key: str
    runs: int
    charged_nanos: Nanos
    internal_nanos: Nanos


@dataclass(frozen=True, slots=True)
class MonthOfRevenue:
    """Tables of one month, the largest first; cells: of (day, model), for a plot; total: of customers."""

    period: str
    total_nanos: Nanos
    by_model: list[RevenueLine]
    by_hardware: list[RevenueLine]
    by_day: list[RevenueLine]
    cells: dict[tuple[str, str], int]


def month_of_revenue(period: str) -> MonthOfRevenue:
    """Sums of posted usage of all accounts by the days it was used on, refunds taken off."""
    days = reports.days_of(period)
    rows = UsageRollup.objects.filter(day__range=(days[0], days[-1]))
    by_model = _lines(rows, "model_name")
    found = rows.filter(_charged()).values("day", "model_name").annotate(amount=Sum("amount_nanos")).order_by()
    return MonthOfRevenue(
        period=period,
        total_nanos=Nanos(sum(line.charged_nanos for line in by_model)),
        by_model=by_model,
        by_hardware=_lines(rows, "hardware"),
        by_day=sorted(_lines(rows, "day"), key=lambda line: line.key, reverse=True),
        cells={(str(row["day"]), row["model_name"]): int(row["amount"]) for row in found},
    )


def list_months() -> list[datetime.date]:
    """Those in which anything was used, newest first."""
    return list(UsageRollup.objects.dates("day", "month", order="DESC"))


def _charged() -> Q:
    return Q(account__billing__isnull=False) & ~Q(account__billing__mode=BillingAccount.Mode.INTERNAL)


def _lines(rows: Any, column: str) -> list[RevenueLine]:
    found = rows.values(column).annotate(
        count=Sum("runs"),
        charged=Sum("amount_nanos", filter=_charged(), default=0),
        internal=Sum("amount_nanos", filter=~_charged(), default=0),
    )
    lines = [
        RevenueLine(str(row[column]), int(row["count"]), Nanos(int(row["charged"])), Nanos(int(row["internal"])))
        for row in found.order_by()
    ]
    return sorted(lines, key=lambda line: (-line.charged_nanos, -line.internal_nanos, line.key))
