"""The price in force at a time."""

import datetime
import time

from billing.models import Meter, Price

_CACHE_SECONDS = 5.0
_cache: dict[str, tuple[float, Price]] = {}


class PriceMissing(LookupError):
    """A SKU has no price in force: nothing may run on it rather than run for nothing."""


def price_at(sku: str, at: datetime.datetime) -> Price:
    """The price per compute time of a hardware SKU. Raises PriceMissing.  Source: billing.md 5.2."""
    price = (
        Price.objects.filter(sku=sku, meter=Meter.COMPUTE_TIME, effective_from__lte=at).order_by("-effective_from").first()
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


def forget() -> None:
    """Drop the remembered prices of this process."""
    _cache.clear()
