"""Credit that runs low is told once, in the event log."""

import pytest

from billing import notices, posting
from billing.models import BillingAccount
from billing.notices import MoneyEvent
from tests.billing.factories import fund, use

DOLLAR = 1_000_000_000
HOUR = 3_600_000_000  # µs; $0.09 on cpu-small


@pytest.fixture
def told():
    seen = []

    def note(**fact):
        seen.append((fact["account_id"], fact["type"], fact["subject"], fact["data"]))

    notices.money_event.connect(note)
    yield seen
    notices.money_event.disconnect(note)


def test_it_is_told_when_usage_takes_it_below_the_threshold_and_not_again(alice, told):
    fund(alice, 6 * DOLLAR)
    for _ in range(3):
        use(alice, 10 * HOUR)
        posting.post_usage()
    data = {"available": "4.20", "threshold": "5.00", "currency": "usd"}
    assert told == [(alice.pk, MoneyEvent.BALANCE_LOW, "balance", data)]


def test_it_is_told_again_once_there_was_more(alice, told):
    for _ in range(2):
        fund(alice, 10 * DOLLAR)
        use(alice, 100 * HOUR)
        posting.post_usage()
    assert len(told) == 2


def test_an_account_that_is_not_charged_is_told_nothing(alice, told):
    use(alice, 1000 * HOUR)
    posting.post_usage()
    assert told == []


def test_what_is_held_does_not_count(alice, told):
    fund(alice, 6 * DOLLAR)
    BillingAccount.objects.filter(pk=alice.pk).update(held_nanos=2 * DOLLAR)
    use(alice, HOUR)
    posting.post_usage()
    assert told == []
