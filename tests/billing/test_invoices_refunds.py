"""Refunds on invoices and in discounts: what is given back lowers the next bill, never below zero."""

import pytest

from billing import credit, discounts, ledger
from billing.models import BillingAccount
from billing.refunds import refund_usage
from tests.billing.factories import NOON, buy
from tests.billing.invoicing import DOLLAR, NOVEMBER, adds_up, closed, in_paid_buckets, postpaid, used
from tests.billing.test_invoices import FIRST


@pytest.fixture
def small_tiers(settings):
    settings.BILLING_DISCOUNT_TIERS = [(1, 10), (5, 20)]


def test_refunds_above_usage_are_no_negative_invoice(alice):
    postpaid(alice)
    record = used(alice, 3)
    adds_up(closed(alice))
    refund_usage(record, reason="a broken node")
    invoice = closed(alice, "2026-12")
    assert invoice.total_cents == 0
    assert -3 * DOLLAR <= invoice.carried_out_nanos < 0
    assert adds_up(invoice)
    used(alice, 5, occurred_at=FIRST)
    assert closed(alice, "2027-01").total_cents in (199, 200)


@pytest.mark.usefixtures("small_tiers")
class TestDiscounts:
    def test_a_refund_takes_its_part_of_the_discount_back(self, alice):
        postpaid(alice)
        record = used(alice, 7)
        discounts.settle(alice.pk, NOVEMBER)
        refund_usage(record, reason="a broken node")
        assert discounts.settle_all(NOON) == 1
        assert ledger.balance("discounts") == ledger.balance(f"unbilled:{alice.pk}") == 0

    def test_it_pays_an_overrun_first_and_may_make_one(self, alice):
        buy(alice, 5 * DOLLAR)
        BillingAccount.objects.filter(pk=alice.pk).update(mode="prepaid")
        record = used(alice, 7)
        discounts.settle(alice.pk, NOVEMBER)
        assert in_paid_buckets(alice) == 0 < ledger.balance(f"wallet:{alice.pk}") < 2 * DOLLAR
        assert adds_up(closed(alice))
        refund_usage(record, reason="a broken node", amount_nanos=6 * DOLLAR)
        used(alice, 5)
        discounts.settle(alice.pk, NOVEMBER)
        assert in_paid_buckets(alice) - credit.overrun(alice.pk) == -ledger.balance(f"wallet:{alice.pk}")
        assert adds_up(closed(alice, "2026-12"))
