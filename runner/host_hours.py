"""How long instances were online and how much of it was sold, for operators: what idle machines cost.

Time is valued at the hardware's own price, what it would have sold for.  Source: billing.md 15.3.
"""

import datetime
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, Greatest, Least, Now

from billing import prices, reports
from billing.models import Meter, UsageRollup
from billing.money import Nanos
from billing.prices import PriceMissing
from billing.rating import cost
from runner.models import Instance
from runner.states import INSTANCE_ENDED

_MICROSECOND = datetime.timedelta(microseconds=1)
_Key = tuple[str, str]  # hardware, model


@dataclass(frozen=True, slots=True)
class OnlineLine:
    """A SKU or a model. online and sold: microseconds; worth and idle: of online time, and of its unsold part."""

    key: str
    online_us: int
    sold_us: int
    worth_nanos: Nanos
    idle_nanos: Nanos

    @property
    def online_seconds(self) -> float:
        """For showing only."""
        return self.online_us / 1_000_000

    @property
    def sold_percent(self) -> int:
        """How much of the online time was sold."""
        return min(100, self.sold_us * 100 // self.online_us) if self.online_us else 0


def online_lines(period: str) -> tuple[list[OnlineLine], list[OnlineLine]]:
    """(by hardware, by model) of a month of UTC, the idlest first. Time on several slots may be sold more than once."""
    days = reports.days_of(period)
    first = datetime.datetime.combine(days[0], datetime.time(), datetime.UTC)
    after = datetime.datetime.combine(days[-1], datetime.time(), datetime.UTC) + datetime.timedelta(days=1)
    online = _online(first, after)
    sold = _sold(days[0], days[-1])
    by_hardware: dict[str, list[_Key]] = defaultdict(list)
    by_model: dict[str, list[_Key]] = defaultdict(list)
    for key in online:
        by_hardware[key[0]].append(key)
        by_model[key[1]].append(key)
    return _lines(by_hardware, online, sold), _lines(by_model, online, sold)


def _online(first: datetime.datetime, after: datetime.datetime) -> dict[_Key, int]:
    rows = (
        Instance.objects.filter(created_at__lt=after)
        .filter(Q(stopped_at__gt=first) | (Q(stopped_at=None) & ~Q(state__in=INSTANCE_ENDED)))
        .annotate(
            span=Least(Coalesce("stopped_at", Now()), after) - Greatest("created_at", first),
            owner=F("version__model__account__username"),
            model=F("version__model__name"),
        )
        .values("hardware_id", "owner", "model")
        .annotate(total=Sum("span"))
        .order_by()
    )
    return {(row["hardware_id"], f"{row['owner']}/{row['model']}"): row["total"] // _MICROSECOND for row in rows}


def _sold(first: datetime.date, last: datetime.date) -> dict[_Key, int]:
    times = UsageRollup.objects.filter(day__range=(first, last), meter__in=[Meter.COMPUTE_TIME, Meter.INSTANCE_TIME])
    rows = times.values("hardware", "model_name").annotate(total=Sum("quantity")).order_by()
    return {(row["hardware"], row["model_name"]): int(row["total"]) for row in rows}


def _lines(groups: Mapping[str, list[_Key]], online: Mapping[_Key, int], sold: Mapping[_Key, int]) -> list[OnlineLine]:
    lines = [
        OnlineLine(
            key=name,
            online_us=sum(online[key] for key in keys),
            sold_us=sum(sold.get(key, 0) for key in keys),
            worth_nanos=Nanos(sum(_worth(key[0], online[key]) for key in keys)),
            idle_nanos=Nanos(sum(_worth(key[0], max(0, online[key] - sold.get(key, 0))) for key in keys)),
        )
        for name, keys in groups.items()
    ]
    return sorted(lines, key=lambda line: (-line.idle_nanos, line.key))


def _worth(hardware: str, microseconds: int) -> int:
    try:
        return cost(microseconds, prices.current_price(hardware))
    except PriceMissing:
        return 0
