"""Quantities and prices in words."""

import pytest

from billing.models import Meter, Price
from billing.wording import meter_in_words, price_in_words, quantity_in_words


@pytest.mark.parametrize(
    ("quantity", "meter", "words"),
    [
        (1_234_567, Meter.COMPUTE_TIME, "1.235 s"),
        (-500_000, Meter.COMPUTE_TIME, "−500.000 ms"),
        (13_777, Meter.COMPUTE_TIME, "13.777 ms"),
        (185_000_000, Meter.INSTANCE_TIME, "3 min 05 s"),
        (7_500_000_000, Meter.INSTANCE_TIME, "2 h 05 min"),
        (5_040, Meter.OUTPUT_VIDEO_TIME, "5.040 s"),
        (1, Meter.OUTPUT_IMAGE, "1 image"),
        (1_234, Meter.INPUT_TOKENS, "1,234 tokens"),
    ],
)
def test_quantities_have_their_meters_unit(quantity: int, meter: str, words: str) -> None:
    assert quantity_in_words(quantity, meter) == words


@pytest.mark.parametrize("meter", Meter.values)
def test_every_meter_has_words(meter: str) -> None:
    assert quantity_in_words(0, meter)
    assert "(" not in meter_in_words(meter)


@pytest.mark.parametrize(
    ("meter", "rate_nanos", "per_units", "words"),
    [
        (Meter.COMPUTE_TIME, 225_000, 1_000_000, "$0.000225 per second"),
        (Meter.INSTANCE_TIME, 12_200_000, 1_000_000, "$0.0122 per second online"),
        (Meter.OUTPUT_IMAGE, 3_000_000_000, 1_000, "$0.003 per image"),
        (Meter.OUTPUT_VIDEO_TIME, 90_000_000, 1_000, "$0.09 per second of video"),
        (Meter.INPUT_TOKENS, 3_000_000_000, 1_000_000, "$3.00 per million input tokens"),
    ],
)
def test_prices_are_exact(meter: str, rate_nanos: int, per_units: int, words: str) -> None:
    assert price_in_words(Price(meter=meter, rate_nanos=rate_nanos, per_units=per_units)) == words
