"""Buying credit on a hosted page and with the saved card: it appears once, whoever tells of the payment."""

import datetime

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from billing import accounts, cards, checkout, off_session, top_ups
from billing.models import BillingAccount, LedgerEntry, PaymentMethod, StripeCall, StripeEvent, TopUp
from billing.payment_problems import NoCard, PaymentFailed, PaymentPending, PaymentsAreOff, PaymentsUnavailable
from marketplace.lib.problems import ValidationFailed
from tests.billing.stripe_site import (
    CENT,
    DOLLAR,
    INTENTS,
    StripeSite,
    assert_books_agree_with_stripe,
    credit_of,
    spend,
    together,
    top_up_postings,
)
from tests.stripe_front import customer

pytestmark = pytest.mark.stripe


def test_a_card_is_saved_on_the_hosted_page(site: StripeSite, alice):
    site.pay(cards.create_setup(alice.pk))
    [card] = cards.list_cards(alice.pk)
    assert (card.brand, card.last4, card.is_default) == ("visa", "4242", True)
    site.drain()
    assert PaymentMethod.objects.count() == 1
    assert site.sent("/v1/customers") == [f"cust:{alice.pk}"]
    stored = site.world.engine.get(f"/v1/customers/{accounts.billing_account(alice.pk).stripe_customer_id}")
    assert stored["invoice_settings"]["default_payment_method"] == card.pk


def test_a_purchase_on_the_hosted_page_brings_credit_card_and_receipt(site, alice):
    top_up = top_ups.create_checkout(alice.pk, 5000)
    assert top_up.state == TopUp.State.SENT and credit_of(alice) == 0
    settled = site.pay(top_up.checkout_url)
    assert settled == top_up and settled.state == TopUp.State.SUCCEEDED
    assert credit_of(alice) == 5000
    assert (settled.card, settled.receipt_number) == ("visa 4242", f"REC-{timezone.now().year}-000001")
    bucket = settled.bucket
    assert bucket.source == settled.payment_intent_id and bucket.remaining_nanos == 50 * DOLLAR
    assert bucket.expires_at - timezone.now() > datetime.timedelta(days=364)
    payer = accounts.billing_account(alice.pk)
    assert (payer.mode, payer.overdraft_nanos) == (BillingAccount.Mode.PREPAID, DOLLAR)
    assert [card.last4 for card in cards.list_cards(alice.pk)] == ["4242"]
    assert [one.subject for one in mail.outbox] == [f"[Modelyard] Receipt {settled.receipt_number}"]
    site.drain()
    assert credit_of(alice) == 5000 and top_up_postings() == 1 and len(mail.outbox) == 1
    assert_books_agree_with_stripe()


def test_the_saved_card_is_charged(site, buyer):
    top_up = site.buy(buyer, 2000)
    assert top_up.state == TopUp.State.SUCCEEDED and credit_of(buyer) == 2000
    assert site.sent(INTENTS) == [f"topup:{top_up.pk}:1"]
    call = StripeCall.objects.get(pk=f"topup:{top_up.pk}:1")
    assert (call.state, call.object_id, call.tries) == (StripeCall.State.DONE, top_up.payment_intent_id, 1)
    site.drain()
    assert credit_of(buyer) == 2000
    assert_books_agree_with_stripe()


def test_an_overrun_is_taken_from_a_payment_first(site, buyer):
    site.buy(buyer, 1000)
    spend(buyer, 12 * DOLLAR)
    assert credit_of(buyer) == -200
    top_up = site.buy(buyer, 1000)
    assert top_up.bucket.remaining_nanos == 8 * DOLLAR and credit_of(buyer) == 800


def test_a_declined_card_brings_nothing(site, alice):
    site.save_card(alice, customer.DECLINED_WHEN_CHARGED)
    with pytest.raises(PaymentFailed, match="declined"):
        site.buy(alice)
    [top_up] = TopUp.objects.all()
    assert (top_up.state, top_up.decline_code) == (TopUp.State.FAILED, "generic_decline")
    site.drain()
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.FAILED and credit_of(alice) == 0


def test_after_a_decline_on_the_page_another_card_may_pay(site, alice):
    top_up = top_ups.create_checkout(alice.pk, 5000)
    with pytest.raises(customer.Declined):
        site.world.pay(top_up.checkout_url, customer.DECLINED_AT_ONCE)
    site.drain()
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.SENT
    site.pay(top_up.checkout_url)
    assert credit_of(alice) == 5000


def test_another_page_closes_the_one_before_and_is_not_blocked_by_it(site, alice):
    first, second = (top_ups.create_checkout(alice.pk, 5000) for _ in range(2))
    first.refresh_from_db()
    assert first.state == TopUp.State.EXPIRED
    with pytest.raises(customer.Declined, match="expired"):
        site.world.pay(f"{site.world.base_url}/pay/{first.checkout_session_id}")
    site.pay(second.checkout_url)
    assert credit_of(alice) == 5000


def test_a_page_that_expires_unused_ends_its_top_up(site, alice):
    top_up = top_ups.create_checkout(alice.pk, 5000)
    site.world.advance(datetime.timedelta(hours=2))
    site.drain()
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.EXPIRED


def test_an_expired_page_is_noticed_without_its_webhook_too(site, alice):
    top_up = top_ups.create_checkout(alice.pk, 5000)
    site.world.advance(datetime.timedelta(hours=2))
    assert top_ups.resolve_due(now=timezone.now() + datetime.timedelta(hours=2)) == 1
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.EXPIRED


@pytest.mark.parametrize("cents", [499, 200_001, -5, 0])
def test_amounts_have_bounds(site, buyer, cents):
    with pytest.raises(ValidationFailed, match=r"from 5\.00 to 2000\.00"):
        site.buy(buyer, cents)
    with pytest.raises(ValidationFailed):
        top_ups.create_checkout(buyer.pk, cents)


def test_without_a_card_nothing_is_charged(site, alice):
    with pytest.raises(NoCard):
        site.buy(alice)
    assert not TopUp.objects.exists()


def test_without_a_key_payments_are_off(site, buyer, settings):
    settings.STRIPE_SECRET_KEY = ""
    with pytest.raises(PaymentsAreOff):
        site.buy(buyer)
    with pytest.raises(PaymentsAreOff):
        cards.create_setup(buyer.pk)
    assert top_ups.resolve_due(now=timezone.now()) == 0


def test_stripe_away_is_told_and_no_page_stays_pending(site, buyer):
    site.world.fail("POST", "/v1/checkout/sessions", 500, "before", times=3)
    with pytest.raises(PaymentsUnavailable):
        top_ups.create_checkout(buyer.pk, 5000)
    assert TopUp.objects.get().state == TopUp.State.FAILED


def test_the_amount_that_was_really_paid_must_be_the_one_asked_for(site, buyer):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    TopUp.objects.filter(pk=top_up.pk).update(amount_cents=500_000)
    site.pay(top_up.checkout_url)
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.SENT and "another amount" in top_up.error
    assert credit_of(buyer) == 0


def test_somebody_elses_payment_is_credited_to_nobody(site, buyer, stranger):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    TopUp.objects.filter(pk=top_up.pk).update(account=stranger)
    site.pay(top_up.checkout_url)
    assert credit_of(buyer) == credit_of(stranger) == 0


def test_a_page_is_settled_for_its_own_account_only(site, buyer, stranger):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    back = site.world.pay(top_up.checkout_url)
    assert checkout.settle_session(back.rsplit("=", 1)[1], account_id=stranger.pk) is None
    assert credit_of(buyer) == 0
    assert checkout.settle_session(back.rsplit("=", 1)[1], account_id=buyer.pk) == top_up
    assert credit_of(buyer) == 5000


def sent_top_up(account, source=TopUp.Source.SAVED_CARD) -> TopUp:
    """As a process leaves it that died after its commit."""
    with transaction.atomic():
        payer = accounts.lock(account.pk)
        return off_session.open_top_up(payer, source=source, amount_cents=5000, now=timezone.now())


def test_inv_11_one_pending_payment_with_the_saved_card(site, buyer):
    sent_top_up(buyer)
    with pytest.raises(PaymentPending):
        site.buy(buyer)
    assert site.sent(INTENTS) == []


def test_f23_an_answer_lost_after_success_is_one_charge_and_one_credit(site, buyer):
    site.world.fail("POST", INTENTS, "drop", "after")
    top_up = site.buy(buyer)
    assert top_up.state == TopUp.State.SUCCEEDED
    assert site.sent(INTENTS) == [f"topup:{top_up.pk}:1"] * 2 and site.charges() == 1
    site.drain()
    assert credit_of(buyer) == 5000 and top_up_postings() == 1


@pytest.mark.parametrize("called", [False, True], ids=["before the call", "after the call"])
def test_f25_a_process_that_dies_around_the_call_leaves_one_charge(site, buyer, called, monkeypatch):
    if called:
        monkeypatch.setattr(off_session, "settle_payment_intent", dies)
        with pytest.raises(KeyboardInterrupt):
            site.buy(buyer)
        monkeypatch.undo()
        site.world.faults.asked.clear()
    else:
        sent_top_up(buyer)
    assert TopUp.objects.get().state == TopUp.State.SENT and credit_of(buyer) == 0
    assert top_ups.resolve_due(now=timezone.now() + datetime.timedelta(minutes=3)) == 1
    assert TopUp.objects.get().state == TopUp.State.SUCCEEDED
    site.drain()
    assert credit_of(buyer) == 5000 and site.charges() == 1


def dies(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_unknown_outcome_is_asked_for_again_with_growing_delays(site, buyer):
    site.world.fail("POST", INTENTS, 500, "after", times=99, kept=True)
    top_up = site.buy(buyer)
    assert top_up.state == TopUp.State.UNKNOWN
    delays = []
    for _ in range(5):
        delays.append(round((top_up.next_try_at - timezone.now()).total_seconds(), -1))
        top_ups.resolve_due(now=top_up.next_try_at)
        top_up.refresh_from_db()
    assert delays == [10, 60, 300, 1800, 3600]
    assert set(site.sent(INTENTS)) == {f"topup:{top_up.pk}:1"} and site.charges() == 1
    site.drain()  # Stripe's own event settles what its kept answer hides
    assert credit_of(buyer) == 5000


@pytest.mark.parametrize("charged", [True, False])
def test_f26_after_20_hours_nothing_is_sent_and_the_payment_is_looked_for(site, buyer, charged):
    site.world.fail("POST", INTENTS, "drop", "after" if charged else "before", times=3)
    top_up = site.buy(buyer)
    assert top_up.state == TopUp.State.UNKNOWN
    sent = len(site.sent(INTENTS))
    TopUp.objects.filter(pk=top_up.pk).update(sent_at=timezone.now() - datetime.timedelta(hours=21))
    for _ in range(2):
        top_ups.resolve_due(now=timezone.now() + datetime.timedelta(days=1))
    top_up.refresh_from_db()
    assert len(site.sent(INTENTS)) == sent and site.charges() == charged
    if charged:
        assert top_up.state == TopUp.State.SUCCEEDED and credit_of(buyer) == 5000 and top_up_postings() == 1
    else:
        assert (top_up.state, top_up.decline_code) == (TopUp.State.FAILED, "lost") and credit_of(buyer) == 0


@pytest.mark.parametrize("order", ["webhook", "page", "both"])
def test_f27_whoever_tells_first_there_is_one_credit(site, buyer, order):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    back = site.world.pay(top_up.checkout_url)
    session_id = back.rsplit("=", 1)[1]
    if order == "webhook":
        site.drain()
        checkout.settle_session(session_id)
    elif order == "page":
        checkout.settle_session(session_id)
        site.drain()
    else:
        payment = site.world.events("payment_intent.succeeded")[0]["data"]["object"]["id"]
        together(lambda: top_ups.settle_payment_intent(payment), 4)
        site.drain()
    assert credit_of(buyer) == 5000 and top_up_postings() == 1
    assert LedgerEntry.objects.filter(code="psp_fees").count() == 1


def test_f28_duplicates_out_of_order_end_in_the_same_state(site, buyer):
    site.world.switches.copies, site.world.switches.shuffle = 3, True
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    with pytest.raises(customer.Declined):
        site.world.pay(top_up.checkout_url, customer.DECLINED_AT_ONCE)
    site.world.pay(top_up.checkout_url)
    site.drain()
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.SUCCEEDED and credit_of(buyer) == 5000 and top_up_postings() == 1
    assert not StripeEvent.objects.filter(state__in=["received", "dead"]).exists()
    assert StripeEvent.objects.count() == len(site.world.events())
    assert_books_agree_with_stripe()


def test_f33_a_bank_that_wants_its_customer_is_paid_through_a_link_once(site, alice):
    site.save_card(alice, customer.ASKS_ALWAYS)
    top_up = site.buy(alice)
    assert top_up.state == TopUp.State.REQUIRES_ACTION and credit_of(alice) == 0
    [asking] = mail.outbox
    assert top_up.checkout_url in asking.body
    stale = TopUp.objects.get(pk=top_up.pk)
    site.pay(top_up.checkout_url, customer.ASKS_ALWAYS)
    stale.state = TopUp.State.SENT  # a worker that had looked before
    off_session.send(stale)
    site.drain()
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.SUCCEEDED
    assert credit_of(alice) == 5000 and site.charges() == 1 and top_up_postings() == 1
    assert_books_agree_with_stripe()


def test_a_stale_retry_before_the_link_is_paid_changes_nothing(site, alice):
    site.save_card(alice, customer.ASKS_ALWAYS)
    top_up = site.buy(alice)
    stale = TopUp.objects.get(pk=top_up.pk)
    stale.state = TopUp.State.SENT
    off_session.send(stale)
    site.drain()
    assert TopUp.objects.get().state == TopUp.State.REQUIRES_ACTION and len(mail.outbox) == 1
    site.pay(top_up.checkout_url)
    assert credit_of(alice) == 5000 and site.charges() == 1


def test_a_link_that_nobody_opens_frees_the_account(site, alice):
    site.save_card(alice, customer.ASKS_ALWAYS)
    top_up = site.buy(alice)
    site.world.advance(datetime.timedelta(hours=23, minutes=1))
    site.drain()
    top_up.refresh_from_db()
    assert top_up.state == TopUp.State.EXPIRED
    assert accounts.billing_account(alice.pk).spendable_nanos // CENT == 0
