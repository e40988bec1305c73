"""Usage × price: exact, rounded once, half to even."""

import pytest

from billing.models import Price
from billing.rating import charge, charge_units, cost

SECOND = MILLION = 1_000_000
T4, L40S, A100, H100_8, CPU_SMALL = 225_000, 975_000, 1_400_000, 12_200_000, 25_000


@pytest.mark.parametrize(
    ("quantity", "rate_nanos", "per_units", "nanos"),
    [
        (1_234_567, T4, SECOND, 277_778),
        (8_814_285_700, A100, SECOND, 12_339_999_980),
        (20, CPU_SMALL, SECOND, 0),
        (60, CPU_SMALL, SECOND, 2),
        (100, CPU_SMALL, SECOND, 2),
        (1_000, H100_8, SECOND, 12_200),
        (3_600 * SECOND, H100_8, SECOND, 43_920_000_000),
        (333_333, L40S, SECOND, 325_000),
        (1, 3_000_000_000, 1_000, 3_000_000),
        (7, 3_000_000_000, 1_000, 21_000_000),
        (333, 3_000_000_000, 1_000, 999_000_000),
        (4, 40_000_000, 1, 160_000_000),
        (3, 25_000_000, 1, 75_000_000),
        (5_040, 90_000_000, 1_000, 453_600_000),
        (5_040, 250_000_000, 1_000, 1_260_000_000),
        (1_234_567, 3_000_000_000, MILLION, 3_703_701_000),
        (8, 3_750_000_000, MILLION, 30_000),
    ],
)
def test_golden_values(quantity, rate_nanos, per_units, nanos):
    assert cost(quantity, Price(rate_nanos=rate_nanos, per_units=per_units)) == nanos


@pytest.mark.parametrize(("quantity", "nanos"), [(0, 0), (1, 50), (5, 50), (6, 60)])
def test_a_minimum_is_for_who_used_something(quantity, nanos):
    assert charge(quantity, Price(rate_nanos=10, per_units=1, min_charge_nanos=50)) == nanos


def test_each_meter_is_rounded_by_itself():
    prices = [Price(meter=meter, rate_nanos=15, per_units=10) for meter in ("input_tokens", "output_tokens")]
    assert charge_units({"input_tokens": 1, "output_tokens": 3}, prices) == 2 + 4
