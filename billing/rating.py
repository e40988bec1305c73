"""Usage × price, pure."""

from billing.models import Price
from billing.money import Nanos, round_half_even


def cost(quantity: int, price: Price) -> Nanos:
    """Charge for one usage line, rounded half-even to the nano-dollar, once.

    quantity: base units of the price's meter (µs for compute time), ≥ 0.  Source: billing.md 2.3.
    """
    return Nanos(round_half_even(quantity * price.rate_nanos, price.per_units))
