"""Usage × price, pure."""

from collections.abc import Iterable, Mapping

from billing.models import Price
from billing.money import Nanos, round_half_even


def cost(quantity: int, price: Price) -> Nanos:
    """Charge for one usage line, rounded half-even to the nano-dollar, once.

    quantity: base units of the price's meter (µs for compute time), ≥ 0.  Source: billing.md 2.3.
    """
    return Nanos(round_half_even(quantity * price.rate_nanos, price.per_units))


def charge(quantity: int, price: Price) -> Nanos:
    """`cost`, and at least the price's minimum for a run that used something.  Source: billing.md 2.3."""
    return Nanos(max(cost(quantity, price), price.min_charge_nanos)) if quantity else Nanos(0)


def charge_units(delivered: Mapping[str, int], prices: Iterable[Price]) -> Nanos:
    """What a run costs that made so much, by meter. prices: one a meter."""
    return Nanos(sum(charge(delivered.get(price.meter, 0), price) for price in prices))
