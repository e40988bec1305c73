"""Nano-dollars: the type, the one rounding rule, and words for people.  Source: billing.md 2."""

import re
from typing import NewType

Nanos = NewType("Nanos", int)
NANOS_PER_UNIT = 1_000_000_000
AMOUNT = r"[0-9]{1,9}(\.[0-9]{1,9})?"  # what `parse_amount` takes
NANOS_PER_CENT = 10_000_000


def round_half_even(numerator: int, denominator: int) -> int:
    """numerator / denominator rounded half to even, in integers. denominator > 0.  Source: billing.md 2.3."""
    quotient, remainder = divmod(numerator, denominator)
    double = 2 * remainder
    if double > denominator or (double == denominator and quotient % 2):
        return quotient + 1
    return quotient


def as_decimal_string(nanos: int) -> str:
    """Units with up to nine decimals, at least two: `0.000277778`, `1.50`. For JSON.  Source: billing.md 2.1."""
    sign = "-" if nanos < 0 else ""
    whole, fraction = divmod(abs(nanos), NANOS_PER_UNIT)
    decimals = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{decimals}"


def as_fixed_string(nanos: int) -> str:
    """Units with nine decimals, always: `0.000277778`, `1.500000000`. For CSV.  Source: billing.md 16.4."""
    sign = "-" if nanos < 0 else ""
    whole, fraction = divmod(abs(nanos), NANOS_PER_UNIT)
    return f"{sign}{whole}.{fraction:09d}"


def parse_amount(text: object) -> Nanos | None:
    """What a text like `25`, `0.5` or `100.00` says, 0 or more; None for what is no such text."""
    if not isinstance(text, str) or not re.fullmatch(AMOUNT, text):
        return None
    whole, _, decimals = text.partition(".")
    return Nanos(int(whole) * NANOS_PER_UNIT + int(f"{decimals:0<9}"))


def in_words(nanos: int) -> str:
    """For people: cents from one cent on, up to nine decimals below, never `$0.00` for something."""
    sign = "−" if nanos < 0 else ""
    amount = abs(nanos)
    if amount == 0:
        return "$0.00"
    if amount >= NANOS_PER_CENT:
        cents = round_half_even(amount, NANOS_PER_CENT)
        return f"{sign}${cents // 100:,}.{cents % 100:02d}"
    if amount >= 1_000:
        micros = round_half_even(amount, 1_000)
        return f"{sign}$0.{micros:06d}"
    return f"{sign}${as_decimal_string(amount)}"
