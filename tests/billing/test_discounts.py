"""Volume discounts: a cumulative function, whatever the order, the batches and the runs of the job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import discounts, ledger
from billing.discounts import earned
from billing.models import BillingAccount, LedgerTxn
from billing.posting import post_usage
from tests.billing.factories import NOON, buy
from tests.billing.invoicing import DOLLAR, NOVEMBER, adds_up, closed, in_paid_buckets, postpaid, used

TIERS = [(1000, 5), (10_000, 10)]
SMALL = [(1, 10), (5, 20)]
USAGE = st.integers(min_value=-(10**13), max_value=10**15)


@pytest.mark.parametrize(("usage", "discount"), [(0, 0), (1000, 0), (2000, 50), (10_000, 450), (12_000, 650), (-3, 0)])
def test_each_tier_counts_its_own_part(usage, discount):
    assert earned(usage * DOLLAR, TIERS) == discount * DOLLAR


@given(USAGE, USAGE)
def test_more_usage_never_earns_less_nor_more_than_itself(one, other):
    low, high = sorted((one, other))
    assert 0 <= earned(low, TIERS) <= earned(high, TIERS) <= max(0, high)


@given(st.lists(st.tuples(USAGE, st.booleans()), max_size=30))
def test_inv_22_differences_add_up_to_the_function(steps):
    """Usage in any order, with the job running at any time: what is posted in all is the function of the sum."""
    usage = posted = 0
    for amount, job_runs in steps:
        usage += amount
        if job_runs:
            posted += earned(usage, TIERS) - posted
    assert posted + (earned(usage, TIERS) - posted) == earned(usage, TIERS)


@pytest.fixture
def small_tiers(settings):
    settings.BILLING_DISCOUNT_TIERS = SMALL


@pytest.mark.usefixtures("small_tiers")
class TestPostings:
    def test_the_difference_is_posted_and_nothing_twice(self, alice):
        postpaid(alice)
        used(alice, 3)
        assert discounts.settle(alice.pk, NOVEMBER)
        assert LedgerTxn.objects.get(kind="discount").key == f"disc:{alice.pk}:{NOVEMBER}:1"
        assert discounts.settle(alice.pk, NOVEMBER) is None
        used(alice, 7)
        assert discounts.settle_all(NOON) == 1
        assert ledger.balance("discounts") == earned(discounts.usage_of(alice.pk, NOVEMBER), SMALL)
        assert LedgerTxn.objects.filter(kind="discount").count() == 2

    def test_the_close_settles_it_and_shows_it(self, alice):
        postpaid(alice)
        used(alice, 7)
        invoice = closed(alice)
        usage = discounts.usage_of(alice.pk, NOVEMBER)
        assert invoice.lines.get(kind="discount").amount_nanos == -earned(usage, SMALL)
        assert adds_up(invoice)

    def test_a_prepaid_account_has_it_as_credit(self, alice):
        buy(alice, 20 * DOLLAR)
        BillingAccount.objects.filter(pk=alice.pk).update(mode="prepaid")
        used(alice, 7)
        discounts.settle(alice.pk, NOVEMBER)
        discount = earned(discounts.usage_of(alice.pk, NOVEMBER), SMALL)
        assert in_paid_buckets(alice) == -ledger.balance(f"wallet:{alice.pk}")
        statement = closed(alice)
        assert adds_up(statement)
        assert statement.lines.get(kind="discount").amount_nanos == -discount

    def test_an_internal_account_has_none(self, alice):
        used(alice, 7)
        post_usage()
        assert discounts.settle_all(NOON) == 0


def test_without_tiers_there_is_nothing_to_do(alice):
    postpaid(alice)
    used(alice, 7)
    assert discounts.settle_all(NOON) == 0
    assert discounts.settle(alice.pk, NOVEMBER) is None
