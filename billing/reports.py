"""Usage of one account in one month: in all, by model, by day, by token. Integer sums of what was written.

A period is `YYYY-MM` of UTC, as usage records have it, so that each table adds up to the same total.
"""

import datetime
import re
from dataclasses import dataclass

from django.db.models import Count, F, Sum
from django.db.models.functions import TruncDate

from accounts.access import Caller
from accounts.models import ApiToken
from billing.models import Meter, UsageRecord
from billing.money import Nanos

_PERIOD = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One row of a table. key: what is summed (a model's name, a day, a token's id); label: what people read."""

    key: str
    label: str
    amount_nanos: Nanos
    microseconds: int
    runs: int

    @property
    def seconds(self) -> float:
        """For showing only."""
        return self.microseconds / 1_000_000


@dataclass(frozen=True, slots=True)
class MonthOfUsage:
    """All tables of one month; each adds up to `total`."""

    period: str
    total: UsageLine
    by_model: list[UsageLine]
    by_day: list[UsageLine]
    by_token: list[UsageLine]


def this_period(now: datetime.datetime) -> str:
    """The month that `now` (aware) lies in."""
    return f"{now.astimezone(datetime.UTC):%Y-%m}"


def find_period(text: str) -> str | None:
    """The text if it names a month."""
    return text if _PERIOD.fullmatch(text) else None


def first_day(period: str) -> datetime.date:
    """The day a month starts, for showing its name."""
    return datetime.date.fromisoformat(f"{period}-01")


def list_periods(caller: Caller) -> list[str]:
    """Months in which the account used something, newest first."""
    used = UsageRecord.objects.filter(account_id=caller.account_id).order_by("-period")
    return list(used.values_list("period", flat=True).distinct())


def month_of_usage(caller: Caller, period: str) -> MonthOfUsage:
    """Everything the usage page shows of one month."""
    by_model = _lines(caller, period, "model_name")
    return MonthOfUsage(
        period=period,
        total=UsageLine(
            key=period,
            label=period,
            amount_nanos=Nanos(sum(line.amount_nanos for line in by_model)),
            microseconds=sum(line.microseconds for line in by_model),
            runs=sum(line.runs for line in by_model),
        ),
        by_model=sorted(by_model, key=lambda line: (-line.amount_nanos, line.label)),
        by_day=sorted(_lines(caller, period, "day"), key=lambda line: line.key, reverse=True),
        by_token=sorted(_token_lines(caller, period), key=lambda line: (-line.amount_nanos, line.label)),
    )


def _lines(caller: Caller, period: str, column: str) -> list[UsageLine]:
    rows = (
        UsageRecord.objects.filter(account_id=caller.account_id, period=period, meter=Meter.COMPUTE_TIME)
        .annotate(day=TruncDate("occurred_at", tzinfo=datetime.UTC))
        .values(group=F(column))
        .annotate(amount=Sum("amount_nanos"), time=Sum("quantity"), runs=Count("subject", distinct=True))
        .order_by()
    )
    return [
        UsageLine(
            key="" if row["group"] is None else str(row["group"]),
            label=str(row["group"]),
            amount_nanos=Nanos(int(row["amount"])),
            microseconds=int(row["time"]),
            runs=row["runs"],
        )
        for row in rows
    ]


def _token_lines(caller: Caller, period: str) -> list[UsageLine]:
    """Tokens under their names; runs from the web page have none."""
    lines = _lines(caller, period, "token_id")
    ids = [int(line.key) for line in lines if line.key]
    labels = {str(token.pk): str(token) for token in ApiToken.objects.filter(account_id=caller.account_id, pk__in=ids)}
    return [
        UsageLine(
            key=line.key,
            label=labels.get(line.key, f"Deleted token {line.key}") if line.key else "From the website",
            amount_nanos=line.amount_nanos,
            microseconds=line.microseconds,
            runs=line.runs,
        )
        for line in lines
    ]
