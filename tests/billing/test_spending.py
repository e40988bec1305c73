"""What an account may spend: grants less usage, not limited without any grant."""

import datetime

import pytest
from django.db import Error, transaction

from billing import spending
from billing.models import CreditGrant
from billing.spending import InsufficientCredit, Standing
from marketplace.lib.problems import ValidationFailed
from tests.billing.factories import NOON, use

DOLLAR = 1_000_000_000
NOW = NOON + datetime.timedelta(days=3650)


@pytest.fixture
def olga(alice):
    return alice.user


@pytest.fixture
def grant(alice, olga):
    return lambda nanos: spending.grant(olga, alice, amount_nanos=nanos, reason="a trial")


def test_an_account_without_a_grant_is_not_limited(alice):
    use(alice, 10**12)
    assert spending.standing(alice.pk, NOW) == Standing(may_spend=True, is_low=False, left_nanos=None)


@pytest.mark.parametrize(
    ("granted", "may_spend", "is_low"),
    [(5 * DOLLAR, True, False), (5 * DOLLAR - 1, True, True), (1, True, True), (-1, False, True)],
)
def test_less_than_five_dollars_is_low_and_nothing_left_ends_it(alice, grant, granted, may_spend, is_low):
    grant(granted)
    found = spending.standing(alice.pk, NOW)
    assert (found.may_spend, found.is_low, found.left_nanos) == (may_spend, is_low, granted)


def test_usage_is_taken_off_to_the_last_nano(alice, stranger, grant):
    grant(DOLLAR)
    use(stranger, 1_000_000)
    use(alice, 1_000_000)
    left = spending.standing(alice.pk, NOW).left_nanos
    assert left is not None and 0 < left < DOLLAR
    grant(-left)
    assert spending.standing(alice.pk, NOW).left_nanos == 0
    with pytest.raises(InsufficientCredit):
        spending.ensure_may_spend(alice.pk)


def test_what_comes_later_does_not_count(alice, grant):
    grant(DOLLAR)
    assert spending.standing(alice.pk, NOON - datetime.timedelta(days=3650)).left_nanos is None


def test_a_standing_is_remembered_until_credit_is_granted(alice, grant, django_assert_num_queries):
    grant(1)
    spending.current_standing(alice.pk)
    with django_assert_num_queries(0):
        assert spending.remembered(alice.pk) == spending.current_standing(alice.pk)
    grant(DOLLAR)
    assert spending.current_standing(alice.pk).left_nanos == DOLLAR + 1


def test_a_grant_of_nothing_is_refused(grant):
    with pytest.raises(ValidationFailed):
        grant(0)


@pytest.mark.parametrize("change", [lambda row: row.update(amount_nanos=5), lambda row: row.delete()])
def test_grants_are_append_only(grant, change):
    grant(DOLLAR)
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        change(CreditGrant.objects.all())
