"""The price in force at a time."""

import datetime
import time
from functools import lru_cache

from django.db import transaction

from accounts import audit
from accounts.models import User
from billing.models import Meter, Price
from marketplace.lib.problems import Conflict

_CACHE_SECONDS = 5.0
_CLOCK_SLACK = datetime.timedelta(minutes=5)  # between opening a form with "now" in it and sending it
_cache: dict[str, tuple[float, Price]] = {}


class PriceMissing(LookupError):
    """A SKU has no price in force: nothing may run on it rather than run for nothing."""


def price_at(sku: str, at: datetime.datetime) -> Price:
    """The price per compute time of a hardware SKU. Raises PriceMissing.  Source: billing.md 5.2."""
    price = (
        Price.objects.filter(sku=sku, meter=Meter.COMPUTE_TIME, effective_from__lte=at)
        .order_by("-effective_from")
        .first()
    )
    if price is None:
        raise PriceMissing(f"No price is in force for {sku}")
    return price


def current_price(sku: str) -> Price:
    """`price_at` now, remembered for a few seconds in each process. Raises PriceMissing."""
    hit = _cache.get(sku)
    if hit and hit[0] > time.monotonic():
        return hit[1]
    price = price_at(sku, datetime.datetime.now(datetime.UTC))
    _cache[sku] = (time.monotonic() + _CACHE_SECONDS, price)
    return price


def lowest_rate(at: datetime.datetime) -> int | None:
    """Nano-dollars per second of the cheapest hardware at a time, None without any price."""
    in_force = Price.objects.filter(meter=Meter.COMPUTE_TIME, effective_from__lte=at, per_units=1_000_000)
    newest = in_force.order_by("sku", "-effective_from").distinct("sku")
    return min(newest.values_list("rate_nanos", flat=True), default=None)


def add_price(actor: User, *, sku: str, rate_nanos: int, effective_from: datetime.datetime, reason: str) -> Price:
    """Set what a second on a SKU costs from a moment on; earlier prices stay as they are.

    rate_nanos: nano-dollars per second, ≥ 0. Raises Conflict for a moment in the past or one that has a price:
    what was accepted at a price stays accepted at it.  Source: billing.md 5.2.
    """
    ensure_may_start(sku, effective_from)
    with transaction.atomic():
        price = Price.objects.create(sku=sku, rate_nanos=rate_nanos, effective_from=effective_from)
        details = {"rate_nanos": rate_nanos, "effective_from": effective_from.isoformat()}
        audit.record(actor, "add_price", f"price/{sku}", reason=reason, **details)
    return price


@lru_cache(maxsize=1000)
def price_by_id(price_id: int) -> Price:
    """A pinned price; rows never change once used, so each is read once. Raises Price.DoesNotExist."""
    return Price.objects.get(pk=price_id)


def ensure_may_start(sku: str, effective_from: datetime.datetime) -> None:
    """Raises Conflict for a moment in the past, or one at which a price of this SKU starts already."""
    if effective_from < datetime.datetime.now(datetime.UTC) - _CLOCK_SLACK:
        raise Conflict("A price can't start in the past.")
    if Price.objects.filter(sku=sku, meter=Meter.COMPUTE_TIME, effective_from=effective_from).exists():
        raise Conflict("A price for this hardware already starts at this time.")


def forget() -> None:
    """Drop the remembered prices of this process."""
    _cache.clear()
    price_by_id.cache_clear()
