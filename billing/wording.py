"""Quantities and prices as people read them. Each meter has one unit here, on every page."""

from dataclasses import dataclass

from billing.models import Meter, Price
from billing.money import as_decimal_string, round_half_even


@dataclass(frozen=True, slots=True)
class _Unit:
    """How a meter reads: prices are said per `size` base units, which are called `name`."""

    size: int
    name: str
    counted: str  # what one base unit is called where they are counted, "" where they are time


_MICROSECONDS = 1_000_000
_UNITS: dict[str, _Unit] = {
    Meter.COMPUTE_TIME: _Unit(_MICROSECONDS, "second", ""),
    Meter.INSTANCE_TIME: _Unit(_MICROSECONDS, "second online", ""),
    Meter.OUTPUT_IMAGE: _Unit(1, "image", "image"),
    Meter.OUTPUT_VIDEO_TIME: _Unit(1_000, "second of video", ""),
    Meter.OUTPUT_AUDIO_TIME: _Unit(1_000, "second of audio", ""),
    Meter.INPUT_TOKENS: _Unit(1_000_000, "million input tokens", "token"),
    Meter.OUTPUT_TOKENS: _Unit(1_000_000, "million output tokens", "token"),
    Meter.REQUEST: _Unit(1, "run", "run"),
}


def quantity_in_words(quantity: int, meter: str) -> str:
    """`13.777 ms`, `1.235 s`, `2 h 05 min`, `3 images`, `1,234 tokens`."""
    unit = _UNITS[meter]
    if unit.counted:
        return f"{quantity:,} {unit.counted}{'' if quantity == 1 else 's'}"
    sign = "−" if quantity < 0 else ""
    milliseconds = round_half_even(abs(quantity) * 1_000, unit.size)
    seconds, rest = divmod(milliseconds, 1_000)
    if not seconds and unit.size == _MICROSECONDS:
        return f"{sign}{abs(quantity) // 1_000}.{abs(quantity) % 1_000:03d} ms"
    if seconds >= 3_600:
        return f"{sign}{seconds // 3_600:,} h {seconds % 3_600 // 60:02d} min"
    if seconds >= 60:
        return f"{sign}{seconds // 60} min {seconds % 60:02d} s"
    return f"{sign}{seconds}.{rest:03d} s"


def meter_in_words(meter: str) -> str:
    """`Compute time`: what is counted, without its unit."""
    return Meter(meter).label.partition(" (")[0]


def price_in_words(price: Price) -> str:
    """`$0.000225 per second`, `$3.00 per million input tokens`, exact to the nano-dollar."""
    unit = _UNITS[price.meter]
    return f"${as_decimal_string(round_half_even(price.rate_nanos * unit.size, price.per_units))} per {unit.name}"
