"""Floors, carries and lines that add up: pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.cents import distribute, floor_to_minor, minor_as_decimal_string, nanos_per_minor

CENT = 10_000_000
AMOUNTS = st.lists(st.integers(min_value=-(10**15), max_value=10**15), min_size=1, max_size=40)


def test_the_golden_example():
    lines = [12_339_999_980, 277_778, 3_703_701_000]
    total, carry = floor_to_minor(sum(lines), "usd")
    assert (total, carry) == (1604, 3_978_758)
    assert distribute(lines, total, "usd") == [1234, 0, 370]


def test_missing_cents_go_to_the_largest_remainders_and_the_earlier_of_equals():
    assert distribute([5_000_000, 9_000_000, 5_000_000, 1_000_000], 2, "usd") == [1, 1, 0, 0]


def test_what_credit_paid_cancels_to_nothing():
    assert distribute([277_778, -277_778], 0, "usd") == [0, 0]


def test_another_total_is_refused():
    with pytest.raises(ValueError, match="not the floor"):
        distribute([CENT], 2, "usd")


@pytest.mark.parametrize(("currency", "nanos"), [("usd", CENT), ("jpy", 10**9)])
def test_exponents_come_from_the_table(currency, nanos):
    assert nanos_per_minor(currency) == nanos
    with pytest.raises(KeyError):
        nanos_per_minor("xxx")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1604, "usd", "16.04"), (-5, "usd", "-0.05"), (16, "jpy", "16"), (0, "usd", "0.00")],
)
def test_decimal_strings(amount, currency, text):
    assert minor_as_decimal_string(amount, currency) == text


@given(AMOUNTS)
def test_inv_17_lines_add_up_and_none_is_off_by_a_cent_or_more(amounts):
    total, carry = floor_to_minor(sum(amounts), "usd")
    shown = distribute(amounts, total, "usd")
    assert sum(shown) == total
    assert 0 <= carry < CENT
    assert total * CENT + carry == sum(amounts)
    assert all(-CENT < cents * CENT - amount < CENT for cents, amount in zip(shown, amounts, strict=True))


@given(st.lists(AMOUNTS, min_size=1, max_size=12))
def test_carries_lose_nothing_over_many_periods(periods):
    carry = billed = 0
    for amounts in periods:
        total, carry = floor_to_minor(carry + sum(amounts), "usd")
        billed += total
    assert billed * CENT + carry == sum(map(sum, periods))
