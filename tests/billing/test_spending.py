"""What an account may spend: credit less usage; an internal account is not limited."""

import pytest

from billing import holds, spending
from billing.holds import HoldRequest
from billing.models import BillingAccount
from billing.spending import FREE
from tests.billing.factories import fund, use

DOLLAR = 1_000_000_000


def test_an_internal_account_is_not_limited(alice):
    use(alice, 10**12)
    assert spending.standing(alice.pk) == FREE


@pytest.mark.parametrize(
    ("funded", "may_spend", "is_low"),
    [(5 * DOLLAR, True, False), (5 * DOLLAR - 1, True, True), (1, True, True), (0, False, True)],
)
def test_less_than_five_dollars_is_low_and_nothing_left_ends_it(alice, funded, may_spend, is_low):
    fund(alice, funded)
    found = spending.standing(alice.pk)
    assert (found.may_spend, found.is_low, found.left_nanos) == (may_spend, is_low, funded)


def test_a_trial_is_not_low_from_its_first_run_on(alice):
    fund(alice, 5 * DOLLAR - 1)
    BillingAccount.objects.update(mode=BillingAccount.Mode.TRIAL)
    assert not spending.standing(alice.pk).is_low
    use(alice, 160_000_000_000)  # for $4.00
    assert spending.standing(alice.pk).is_low


def test_usage_is_taken_off_to_the_last_nano_before_it_is_posted(alice, stranger):
    fund(alice, 25_001)
    use(stranger, 1_000_000)
    use(alice, 1_000_000)
    assert spending.standing(alice.pk).left_nanos == 1
    use(alice, 40)
    assert not spending.standing(alice.pk).may_spend


def test_usage_that_is_held_for_counts_once_until_it_is_posted(alice):
    fund(alice, DOLLAR)
    run = use(alice, 1_000_000)
    holds.place_many([HoldRequest(f"prediction/{run}", alice.pk, 20_000)])
    assert spending.standing(alice.pk).left_nanos == DOLLAR - 25_000


def test_a_standing_is_remembered_until_it_is_forgotten(alice, django_assert_num_queries):
    fund(alice, 1)
    spending.current_standing(alice.pk)
    with django_assert_num_queries(0):
        assert spending.remembered(alice.pk) == spending.current_standing(alice.pk)
    fund(alice, DOLLAR)
    spending.forget(alice.pk)
    assert spending.current_standing(alice.pk).left_nanos == DOLLAR + 1
