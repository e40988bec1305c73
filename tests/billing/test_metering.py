"""Usage records as metering writes them."""

import pytest

from billing.models import UsageRecord
from tests.billing.factories import use

SECOND = 1_000_000  # µs; 25,000 nanos on cpu-small


@pytest.mark.parametrize(("cap", "amount"), [(None, 50_000), (50_001, 50_000), (30_000, 30_000), (0, 0)])
def test_a_quote_caps_what_is_charged_and_not_what_it_would_have_been(alice, cap, amount):
    use(alice, 2 * SECOND, cap_nanos=cap)
    record = UsageRecord.objects.get()
    assert (record.gross_nanos, record.amount_nanos) == (50_000, amount)
