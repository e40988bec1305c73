"""Publishers' shares: others' paid usage, whatever the order, and how they are paid out."""

import datetime

import pytest

from billing import csv_exports, ledger, publisher_shares
from billing.models import PublisherAgreement, PublisherPayout
from billing.money import as_fixed_string, round_half_even
from billing.posting import post_usage
from billing.refunds import refund_usage
from marketplace.lib.problems import Conflict, ValidationFailed
from tests.accounts.factories import UserFactory
from tests.billing.factories import NOON, fund, use
from tests.billing.invoicing import DOLLAR, NOVEMBER, SECOND, postpaid, used

START = NOON - datetime.timedelta(days=5)
MONTHS_LATER = datetime.timedelta(days=60)


@pytest.fixture
def agreement(alice, stranger):
    """Alice has 20 % of what Stranger, who pays afterwards, uses of her models."""
    postpaid(stranger)
    return PublisherAgreement.objects.create(owner=alice, percent=20, effective_from=START)


@pytest.fixture
def operator(db):
    return UserFactory.create(username="olga", is_staff=True)


def share(alice):
    publisher_shares.accrue(alice, NOVEMBER)
    return -ledger.balance(f"publisher:{alice.pk}")


def test_others_usage_counts_once(alice, stranger, agreement):
    record = used(stranger, 10)
    assert share(alice) == share(alice) == record.amount_nanos // 5 == ledger.balance("publisher_cost")
    more = used(stranger, 5)
    assert share(alice) == round_half_even(record.amount_nanos + more.amount_nanos, 5)
    used(stranger, 5, model_name="bob/echo")
    used(stranger, 5, model_name="alice2/echo")
    assert publisher_shares.accrue(alice, NOVEMBER) is None


def test_f50_the_publishers_own_usage_never_counts(alice, agreement):
    postpaid(alice)
    used(alice, 10)
    assert share(alice) == 0


@pytest.mark.parametrize(("counts", "dollars"), [(False, 6), (True, 10)])
def test_f50_what_free_credit_paid_counts_only_where_agreed(alice, stranger, agreement, counts, dollars):
    fund(stranger, 4 * DOLLAR)
    postpaid(stranger)
    PublisherAgreement.objects.update(counts_promo=counts)
    used(stranger, 10)
    assert abs(share(alice) - dollars * DOLLAR // 5) < 1_000_000


def test_f50_a_refund_after_accrual_takes_its_share_back(alice, stranger, agreement):
    fund(stranger, 4 * DOLLAR)
    postpaid(stranger)
    use(stranger, 5 * DOLLAR * SECOND // 1_525_000, hardware="gpu-h100", model_name="bob/echo")
    record = used(stranger, 5)
    assert share(alice) > 0
    refund_usage(record, reason="a broken node")
    assert share(alice) == 0


def test_f50_it_goes_below_zero_after_a_payout(alice, stranger, agreement, operator):
    record = used(stranger, 200)
    share(alice)
    PublisherAgreement.objects.update(hold_days=0)
    publisher_shares.pay_out(operator, alice, amount_nanos=publisher_shares.payable(alice), reference="T-1")
    refund_usage(record, reason="a broken node")
    assert -41 * DOLLAR < share(alice) < -39 * DOLLAR
    assert publisher_shares.payable(alice) == 0


def test_inv_22_batches_and_order_make_no_difference(alice, stranger, agreement):
    for number in range(6):
        used(stranger, 3)
        if number % 2:
            publisher_shares.accrue_all(NOON)
    by_steps = share(alice)
    assert by_steps == publisher_shares.earned(alice, NOVEMBER)


def test_discounts_are_taken_off_first(alice, stranger, agreement, settings):
    settings.BILLING_DISCOUNT_TIERS = [(0, 50)]
    record = used(stranger, 10)
    assert abs(share(alice) - record.amount_nanos // 10) <= 1


def test_usage_before_an_agreement_counts_for_none_and_a_models_own_goes_first(alice, stranger, agreement):
    PublisherAgreement.objects.create(owner=alice, model_name="alice/rare", percent=50, effective_from=START)
    used(stranger, 10, occurred_at=START - datetime.timedelta(days=1))
    assert share(alice) == 0
    record = used(stranger, 10, model_name="alice/rare")
    assert share(alice) == record.amount_nanos // 2
    PublisherAgreement.objects.create(owner=alice, percent=10, effective_from=NOON)
    later = used(stranger, 10, occurred_at=NOON)
    assert share(alice) == record.amount_nanos // 2 + later.amount_nanos // 10


class TestPayouts:
    def test_shares_wait_for_their_hold_and_for_the_minimum(self, alice, stranger, agreement):
        used(stranger, 100)
        share(alice)
        assert publisher_shares.payable(alice) == 0
        now = datetime.datetime.now(datetime.UTC) + MONTHS_LATER
        assert publisher_shares.payable(alice, now) == 0
        used(stranger, 100)
        share(alice)
        assert 39 * DOLLAR < publisher_shares.payable(alice, now) <= 40 * DOLLAR

    def test_an_operator_pays_once_and_at_most_what_is_payable(self, alice, stranger, agreement, operator):
        PublisherAgreement.objects.update(hold_days=0)
        used(stranger, 200)
        share(alice)
        most = publisher_shares.payable(alice)
        with pytest.raises(ValidationFailed, match="at most"):
            publisher_shares.pay_out(operator, alice, amount_nanos=most + 1, reference="T-1")
        with pytest.raises(ValidationFailed, match="reference"):
            publisher_shares.pay_out(operator, alice, amount_nanos=most, reference="")
        for _ in range(2):
            publisher_shares.pay_out(operator, alice, amount_nanos=most, reference="T-1")
        assert PublisherPayout.objects.count() == 1
        assert ledger.balance("bank") == -most
        assert list(csv_exports.payouts_due())[1:] == []

    def test_who_has_no_agreement_is_paid_nothing(self, stranger):
        with pytest.raises(Conflict):
            publisher_shares.payable(stranger)


def test_files_for_publishers_tell_models_and_days_and_never_who(alice, stranger, agreement):
    PublisherAgreement.objects.update(hold_days=0)
    record = used(stranger, 200)
    post_usage()
    share(alice)
    header, row = list(csv_exports.publisher_earnings(alice, NOVEMBER))
    assert header == ["day", "model", "runs", "percent", "paid_usage", "currency"]
    assert row == ["2026-11-10", "alice/echo", 1, 20, as_fixed_string(record.amount_nanos), "usd"]
    assert [row[0] for row in list(csv_exports.payouts_due())[1:]] == ["alice"]
