"""Which prices hold: of hardware, of models, of contracts. What is shown, quoted and rated asks here.

A model's prices, and an account's contract prices for a model or hardware, are lists: the list that started last
holds, whole. Order: contract, model, hardware.  Source: billing.md 5.2.
"""

import datetime
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import F, Window
from django.db.models.functions import Rank

from billing.models import Meter, Price

_CACHE_SECONDS = 5.0
_cache: list[tuple[float, "Book"]] = []
TIME_METERS = frozenset({Meter.COMPUTE_TIME, Meter.INSTANCE_TIME})


class PriceMissing(LookupError):
    """Nothing says what it costs: it may not run rather than run for nothing."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a new run costs. time: per compute time. units: by what it makes, one price a meter; none: by time."""

    time: Price
    units: tuple[Price, ...] = ()

    @property
    def is_by_units(self) -> bool:
        """Is its time free, and what it makes charged?"""
        return bool(self.units)


@dataclass(frozen=True, slots=True)
class Book:
    """All price lists in force at one moment, by SKU and account (None: everybody's)."""

    lists: Mapping[tuple[str, int | None], tuple[Price, ...]]
    skus: frozenset[str]

    def list_of(self, sku: str, account_id: int | None) -> tuple[Price, ...]:
        """The account's own list, else everybody's; empty where there is none."""
        own = self.lists.get((sku, account_id), ()) if account_id is not None else ()
        return own or self.lists.get((sku, None), ())

    def has_own_prices(self, model_name: str) -> bool:
        """Does the model have prices other than its hardware's, for anybody?"""
        return model_sku(model_name) in self.skus

    def hardware_price(self, sku: str, account_id: int | None = None) -> Price:
        """Per compute time. Raises PriceMissing."""
        price = choose(self.list_of(sku, account_id), Meter.COMPUTE_TIME, {})
        if price is None:
            raise PriceMissing(f"No price is in force for {sku}")
        return price

    def resolve(
        self, model_name: str, hardware: str, account_id: int | None, properties: Mapping[str, Any]
    ) -> Resolved:
        """What a run costs. properties: members of its input, defaults included. Raises PriceMissing."""
        everybodys = self.lists.get((model_sku(model_name), None), ())
        own = self.lists.get((model_sku(model_name), account_id), ()) if account_id is not None else ()
        of_model = own or everybodys
        units = tuple(
            price
            for meter in sorted({price.meter for price in of_model} - TIME_METERS)
            if (price := choose(of_model, meter, properties))
        )
        contract = self.lists.get((hardware, account_id), ()) if account_id is not None else ()
        candidates = [own, contract, everybodys, self.lists.get((hardware, None), ())]
        found = (choose(prices, Meter.COMPUTE_TIME, properties) for prices in candidates)
        by_time = next((price for price in found if price), None)
        if by_time is None:
            raise PriceMissing(f"No price is in force for {hardware}")
        return Resolved(by_time, units)


def model_sku(model_name: str) -> str:
    """Under which a model's own prices are. model_name: `owner/name`, in any case."""
    return f"model:{model_name.lower()}"


def choose(prices: Iterable[Price], meter: str, properties: Mapping[str, Any]) -> Price | None:
    """Of a list, the price of a meter whose selector fits, the most specific; None where none fits."""
    fitting = [price for price in prices if price.meter == meter and fits(price.selector, properties)]
    return max(fitting, key=lambda price: len(price.selector), default=None)


def fits(selector: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Does every member of the selector have this value? `1` and `true` are not the same."""
    return all(
        name in properties and type(properties[name]) is type(value) and properties[name] == value
        for name, value in selector.items()
    )


def book_at(moment: datetime.datetime) -> Book:
    """The lists in force at a moment."""
    newest = Window(Rank(), partition_by=[F("sku"), F("account")], order_by=F("effective_from").desc())
    rows = Price.objects.filter(effective_from__lte=moment).annotate(rank=newest).filter(rank=1)
    lists: dict[tuple[str, int | None], tuple[Price, ...]] = {}
    for price in rows.order_by("id"):
        key = (price.sku, price.account_id)
        lists[key] = (*lists.get(key, ()), price)
    return Book(lists, frozenset(sku for sku, _ in lists))


def current_book() -> Book:
    """The lists in force now, remembered for a few seconds in each process."""
    if _cache and _cache[0][0] > time.monotonic():
        return _cache[0][1]
    book = book_at(datetime.datetime.now(datetime.UTC))
    _cache[:] = [(time.monotonic() + _CACHE_SECONDS, book)]
    return book


def resolve(
    model_name: str, hardware: str, account_id: int | None = None, properties: Mapping[str, Any] | None = None
) -> Resolved:
    """What a run that is made now costs; for nobody in particular without an account. Raises PriceMissing."""
    return current_book().resolve(model_name, hardware, account_id, properties or {})


def price_at(sku: str, at: datetime.datetime) -> Price:
    """Everybody's price per compute time of a hardware SKU. Raises PriceMissing."""
    return book_at(at).hardware_price(sku)


def current_price(sku: str) -> Price:
    """`price_at` now, remembered for a few seconds in each process. Raises PriceMissing."""
    return current_book().hardware_price(sku)


def hardware_price(sku: str, account_id: int, *, at: datetime.datetime) -> Price:
    """What an account pays per time on hardware: for instances of its own. Raises PriceMissing."""
    return book_at(at).hardware_price(sku, account_id)


def hardware_price_starts(sku: str, account_id: int, *, after: datetime.datetime) -> list[datetime.datetime]:
    """When prices start that may change what the account pays per time on the hardware."""
    rows = Price.objects.filter(sku=sku, effective_from__gt=after)
    return [
        start
        for start, account in rows.order_by("effective_from").values_list("effective_from", "account_id")
        if account in (None, account_id)
    ]


def lowest_rate(at: datetime.datetime) -> int | None:
    """Nano-dollars per second of the cheapest hardware at a time, None without any price."""
    hardware = [
        price
        for (sku, account_id), prices in book_at(at).lists.items()
        if account_id is None and not sku.startswith("model:")
        for price in prices
    ]
    return min((p.rate_nanos for p in hardware if p.per_units == 1_000_000), default=None)


@lru_cache(maxsize=1000)
def price_by_id(price_id: int) -> Price:
    """A pinned price; rows never change, so each is read once. Raises Price.DoesNotExist."""
    return Price.objects.get(pk=price_id)


def prices_by_id(price_ids: Sequence[int]) -> tuple[Price, ...]:
    """Pinned prices, in their order. Raises Price.DoesNotExist."""
    return tuple(price_by_id(price_id) for price_id in price_ids)


def forget() -> None:
    """Drop the remembered prices of this process."""
    _cache.clear()
    price_by_id.cache_clear()
