"""Usage of one account in one month: in all, by model, by day, by token, by member. Integer sums of what was written.

Posted usage is read from its roll-ups; what ended within the last seconds is added from its records. A period is
`YYYY-MM` of UTC, as usage records have it, so that each table adds up to the same total.
"""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from accounts.access import Caller
from accounts.models import ApiToken, User
from billing.models import Meter, UsageRecord, UsageRollup
from billing.money import Nanos

_PERIOD = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
_Key = TypeVar("_Key", str, tuple[str, ...])
_TIMES = Q(meter__in=[Meter.COMPUTE_TIME, Meter.INSTANCE_TIME])


class _Sums(NamedTuple):
    amount_nanos: int = 0
    microseconds: int = 0
    runs: int = 0


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
    """All tables of one month; each adds up to `total`. cells: nano-dollars of (day, model), for a plot."""

    period: str
    total: UsageLine
    by_model: list[UsageLine]
    by_day: list[UsageLine]
    by_token: list[UsageLine]
    by_member: list[UsageLine]
    cells: dict[tuple[str, str], int]


def this_period(now: datetime.datetime) -> str:
    """The month that `now` (aware) lies in."""
    return f"{now.astimezone(datetime.UTC):%Y-%m}"


def find_period(text: str) -> str | None:
    """The text if it names a month."""
    return text if _PERIOD.fullmatch(text) else None


def first_day(period: str) -> datetime.date:
    """The day a month starts, for showing its name."""
    return datetime.date.fromisoformat(f"{period}-01")


def days_of(period: str) -> list[datetime.date]:
    """All days of a month."""
    first = first_day(period)
    after = (first + datetime.timedelta(days=31)).replace(day=1)
    return [first + datetime.timedelta(days=number) for number in range((after - first).days)]


def list_periods(caller: Caller) -> list[str]:
    """Months in which the account used something, newest first."""
    posted = UsageRollup.objects.filter(account_id=caller.account_id).dates("day", "month")
    unposted = UsageRecord.objects.filter(account_id=caller.account_id, posting=None)
    periods = {f"{month:%Y-%m}" for month in posted} | set(unposted.values_list("period", flat=True).distinct())
    return sorted(periods, reverse=True)


def used_between(account_id: int, first: datetime.date, last: datetime.date) -> dict[datetime.date, int]:
    """Nano-dollars that an account used on each day from `first` to `last`, both included; days of nothing left out."""
    days: dict[datetime.date, int] = {}
    for rows in (_posted(account_id), _unposted(account_id)):
        found = rows.filter(day__range=(first, last)).values("day").annotate(amount=Sum("amount_nanos")).order_by()
        for row in found:
            days[row["day"]] = days.get(row["day"], 0) + int(row["amount"])
    return days


def month_of_usage(caller: Caller, period: str) -> MonthOfUsage:
    """Everything the usage page shows of one month."""
    days = days_of(period)
    posted = _posted(caller.account_id).filter(day__range=(days[0], days[-1]))
    fresh = list(
        _summed(_unposted(caller.account_id).filter(period=period), "day", "model_name", "token_id", "user_id")
    )
    cells = _merged([*_summed(posted, "day", "model_name"), *fresh], "day", "model_name")
    by_token = _merged([*_summed(posted, "token_id"), *fresh], "token_id")
    by_member = _merged([*_summed(posted, "user_id"), *fresh], "user_id")
    models = _added((key[1], sums) for key, sums in cells.items())
    total = _added(("", sums) for sums in cells.values()).get("", _Sums())
    return MonthOfUsage(
        period=period,
        total=_line(period, period, total),
        by_model=_dearest_first(_line(name, name, sums) for name, sums in models.items()),
        by_day=sorted(
            (_line(day, day, sums) for day, sums in _added((key[0], sums) for key, sums in cells.items()).items()),
            key=lambda line: line.key,
            reverse=True,
        ),
        by_token=_dearest_first(_token_lines(caller, by_token)),
        by_member=_dearest_first(_member_lines(by_member)),
        cells={(key[0], key[1]): sums.amount_nanos for key, sums in cells.items()},
    )


def _posted(account_id: int) -> QuerySet[UsageRollup]:
    return UsageRollup.objects.filter(account_id=account_id)


def _unposted(account_id: int) -> Any:
    records = UsageRecord.objects.filter(account_id=account_id, posting=None)
    return records.annotate(day=TruncDate("occurred_at", tzinfo=datetime.UTC))


def _summed(rows: Any, *columns: str) -> Iterable[dict[str, Any]]:
    """Sums by columns. Corrections take back money and time; they are no runs of their own."""
    runs = Sum("runs") if rows.model is UsageRollup else Count("subject", distinct=True, filter=Q(corrects=None))
    grouped = rows.values(*columns).order_by()
    found: Iterable[dict[str, Any]] = grouped.annotate(
        sum_amount=Sum("amount_nanos"), sum_time=Sum("quantity", filter=_TIMES, default=0), sum_runs=runs
    )
    return found


def _merged(rows: Iterable[dict[str, Any]], *columns: str) -> dict[tuple[str, ...], _Sums]:
    """Rows of one key added; None, for no token or no member, is the empty key."""
    return _added(
        (
            tuple("" if row[column] is None else str(row[column]) for column in columns),
            _Sums(int(row["sum_amount"]), int(row["sum_time"]), int(row["sum_runs"])),
        )
        for row in rows
    )


def _added(pairs: Iterable[tuple[_Key, _Sums]]) -> dict[_Key, _Sums]:
    found: dict[_Key, _Sums] = {}
    for key, sums in pairs:
        before = found.get(key, _Sums())
        found[key] = _Sums(*(one + other for one, other in zip(before, sums, strict=True)))
    return found


def _line(key: str, label: str, sums: _Sums) -> UsageLine:
    return UsageLine(key, label, Nanos(sums.amount_nanos), sums.microseconds, sums.runs)


def _dearest_first(lines: Iterable[UsageLine]) -> list[UsageLine]:
    return sorted(lines, key=lambda line: (-line.amount_nanos, line.label))


def _token_lines(caller: Caller, sums: dict[tuple[str, ...], _Sums]) -> list[UsageLine]:
    """Tokens under their names; runs from the web page have none."""
    ids = [int(key) for (key,) in sums if key]
    tokens = ApiToken.objects.filter(account_id=caller.account_id, pk__in=ids)
    labels = {"": "From the website", **{str(token.pk): str(token) for token in tokens}}
    return [_line(key, labels.get(key, f"Deleted token {key}"), one) for (key,), one in sums.items()]


def _member_lines(sums: dict[tuple[str, ...], _Sums]) -> list[UsageLine]:
    """Members under their names; instances, and runs of tokens that nobody owns, have none."""
    users = User.objects.filter(pk__in=[int(key) for (key,) in sums if key])
    labels = {"": "No member", **{str(user.pk): user.username for user in users}}
    return [_line(key, labels.get(key, f"Deleted member {key}"), one) for (key,), one in sums.items()]
