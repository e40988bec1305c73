"""Hours, days and months of UTC: where the one begins and ends that a moment lies in."""

import datetime
from dataclasses import dataclass

from billing.models import LimitPeriod


@dataclass(frozen=True, slots=True)
class Period:
    """One hour, day or month of UTC: from `starts_at` until before `ends_at`."""

    starts_at: datetime.datetime
    ends_at: datetime.datetime


def period_of(period: str, at: datetime.datetime) -> Period:
    """The hour, day or month that a moment lies in."""
    hour = at.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0)
    if period == LimitPeriod.HOUR:
        return Period(hour, hour + datetime.timedelta(hours=1))
    day = hour.replace(hour=0)
    if period == LimitPeriod.DAY:
        return Period(day, day + datetime.timedelta(days=1))
    month = day.replace(day=1)
    return Period(month, (month + datetime.timedelta(days=31)).replace(day=1))


def month_of(at: datetime.datetime) -> Period:
    """The month that a moment lies in."""
    return period_of(LimitPeriod.MONTH, at)


def name_of(month: Period) -> str:
    """`YYYY-MM`, as usage records have it."""
    return f"{month.starts_at:%Y-%m}"


def month_before(month: Period) -> Period:
    """The one that ends where this one starts."""
    return month_of(month.starts_at - datetime.timedelta(days=1))
