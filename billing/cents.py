"""From nano-units to whole minor units, where money leaves the platform: totals, carries, shown lines. Pure.

Source: billing.md 2.4.
"""

from collections.abc import Mapping, Sequence

# How many decimals a currency's money has; never assume two.
EXPONENTS: Mapping[str, int] = {"usd": 2, "eur": 2, "gbp": 2, "jpy": 0}


def nanos_per_minor(currency: str) -> int:
    """Nano-units of one minor unit: 10,000,000 for a cent. Raises KeyError for a currency that is not in the table."""
    return int(10 ** (9 - EXPONENTS[currency]))


def floor_to_minor(nanos: int, currency: str) -> tuple[int, int]:
    """(whole minor units, the rest in nanos, at least 0): the rest is carried, never rounded up."""
    return divmod(nanos, nanos_per_minor(currency))


def distribute(amounts: Sequence[int], total: int, currency: str) -> list[int]:
    """Minor units for each amount (nanos, any sign) that add up to `total`, the floor of their sum.

    Each gets its floor; the units that are missing go to the largest remainders, the earlier first among equals.
    Raises ValueError for a total that is not the floor of the sum.
    """
    parts = [floor_to_minor(amount, currency) for amount in amounts]
    if total != floor_to_minor(sum(amounts), currency)[0]:
        raise ValueError(f"{total} is not the floor of {sum(amounts)} nanos")
    missing = total - sum(whole for whole, _ in parts)
    by_remainder = sorted(range(len(parts)), key=lambda index: (-parts[index][1], index))
    favoured = set(by_remainder[:missing])
    return [whole + (index in favoured) for index, (whole, _) in enumerate(parts)]


def minor_as_decimal_string(amount: int, currency: str) -> str:
    """`16.04` of 1604 cents, `16` of 16 yen. For CSV files and documents."""
    exponent = EXPONENTS[currency]
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), 10**exponent)
    return f"{sign}{whole}.{fraction:0{exponent}d}" if exponent else f"{sign}{whole}"
