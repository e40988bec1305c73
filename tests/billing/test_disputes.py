"""Disputed payments: what they move, what they do to the account, how they end.  F39."""

import pytest
from django.core import mail

from billing import card_refunds, disputes, ledger
from billing.models import BillingAccount, Dispute, TopUp
from marketplace.lib.problems import Conflict
from tests.billing.stripe_site import (
    DOLLAR,
    StripeSite,
    assert_books_agree_with_stripe,
    credit_of,
    enable_reload,
    payer_of,
    spend,
)

pytestmark = pytest.mark.stripe
FEE = 15 * DOLLAR  # of a dispute


@pytest.fixture
def top_up(site: StripeSite, buyer) -> TopUp:
    """50 dollars, 20 of them used."""
    bought = site.buy(buyer)
    spend(buyer, 20 * DOLLAR)
    return bought


def open_dispute(site: StripeSite, top_up: TopUp) -> str:
    dispute_id = site.world.dispute(top_up.payment_intent_id or "")
    site.drain()
    return dispute_id


def fees() -> int:
    return int(ledger.balance("psp_fees"))


def test_f39_a_dispute_restricts_the_account_and_freezes_what_is_left(site, buyer, top_up):
    enable_reload(buyer)
    paid = fees()
    open_dispute(site, top_up)
    payer = payer_of(buyer)
    assert payer.status == BillingAccount.Status.RESTRICTED and not payer.reload_enabled
    assert payer.available_nanos == 0 and credit_of(buyer) == 3000
    top_up.refresh_from_db()
    assert top_up.bucket.is_frozen
    assert ledger.balance(f"dispute:{buyer.pk}") == 50 * DOLLAR and fees() - paid == FEE
    with pytest.raises(Conflict):
        card_refunds.refund_top_up(top_up.pk, reason="Asked for")
    assert "[Modelyard] A payment is disputed" in [one.subject for one in mail.outbox]
    assert_books_agree_with_stripe()


def test_f39_a_dispute_that_is_won_gives_everything_back_but_the_fee(site, buyer, top_up):
    dispute_id = open_dispute(site, top_up)
    site.world.close_dispute(dispute_id, won=True)
    site.drain()
    payer = payer_of(buyer)
    assert payer.status == BillingAccount.Status.ACTIVE and payer.available_nanos == 30 * DOLLAR
    assert ledger.balance(f"dispute:{buyer.pk}") == 0 and credit_of(buyer) == 3000
    top_up.refresh_from_db()
    assert not top_up.bucket.is_frozen
    found = Dispute.objects.get()
    assert found.status == "won" and found.closed_at
    assert_books_agree_with_stripe()


def test_f39_a_dispute_that_is_lost_takes_the_credit_and_what_was_used_is_owed(site, buyer, top_up):
    dispute_id = open_dispute(site, top_up)
    site.world.close_dispute(dispute_id, won=False)
    site.drain()
    payer = payer_of(buyer)
    assert payer.status == BillingAccount.Status.RESTRICTED
    assert credit_of(buyer) == -2000 and payer.held_nanos == 0
    assert ledger.balance(f"dispute:{buyer.pk}") == 0
    assert_books_agree_with_stripe()


def test_other_credit_pays_for_a_lost_dispute_first(site, buyer, top_up):
    site.buy(buyer, 10_000)
    dispute_id = open_dispute(site, top_up)
    assert payer_of(buyer).available_nanos == 100 * DOLLAR
    site.world.close_dispute(dispute_id, won=False)
    site.drain()
    assert credit_of(buyer) == 8000 and payer_of(buyer).status == BillingAccount.Status.ACTIVE


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_is_settled_once_however_often_it_is_told(site, buyer, top_up, won):
    site.world.switches.copies, site.world.switches.shuffle = 3, True
    dispute_id = site.world.dispute(top_up.payment_intent_id)
    site.world.close_dispute(dispute_id, won=won)
    site.drain()
    disputes.settle_dispute(dispute_id)
    assert credit_of(buyer) == (3000 if won else -2000)
    assert payer_of(buyer).held_nanos == 0 and ledger.balance(f"dispute:{buyer.pk}") == 0
    assert_books_agree_with_stripe()


def test_a_dispute_of_a_payment_that_is_no_top_up_is_left_to_a_person(site, buyer):
    customer_id = payer_of(buyer).stripe_customer_id
    card = buyer.payment_methods.get().pk
    payment = site.world.engine.post(
        "/v1/payment_intents", amount=1000, currency="usd", customer=customer_id, payment_method=card, confirm=True
    )["id"]
    assert disputes.settle_dispute(site.world.dispute(payment)) is None
    assert payer_of(buyer).status == BillingAccount.Status.ACTIVE
