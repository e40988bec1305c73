"""The stand-in, driven by Stripe's own SDK: customers, cards, payments, refunds, disputes, invoices."""

from typing import Any

import pytest
import stripe

from tests.stripe_front import customer
from tests.stripe_front.engine_client import loopback
from tests.stripe_front.world import World

pytestmark = pytest.mark.stripe

NEVER_REDIRECT = {"enabled": True, "allow_redirects": "never"}
DONE = "https://shop.test/done?session={CHECKOUT_SESSION_ID}"


@pytest.fixture
def client(stripe_world: World) -> Any:
    return stripe.StripeClient(stripe_world.secret_key, base_addresses={"api": stripe_world.base_url})


@pytest.fixture
def owner(client: Any) -> str:
    return client.v1.customers.create(params={"metadata": {"account_id": "acc_1"}}).id


def setup_session(client: Any, owner: str):
    params = {"mode": "setup", "currency": "usd", "customer": owner, "success_url": DONE}
    data = {"setup_intent_data": {"metadata": {"account_id": "acc_1"}}}
    return client.v1.checkout.sessions.create(params={**params, **data})


def payment_session(client: Any, owner: str, cents: int = 5000, **more):
    price = {"currency": "usd", "unit_amount": cents, "product_data": {"name": "Credit"}}
    params = {
        "mode": "payment",
        "customer": owner,
        "success_url": DONE,
        "line_items": [{"price_data": price, "quantity": 1}],
    }
    data = {"metadata": {"topup_id": "top_1"}, "setup_future_usage": "off_session"}
    adaptive = {"adaptive_pricing": {"enabled": False}, "client_reference_id": "top_1"}
    return client.v1.checkout.sessions.create(params={**params, "payment_intent_data": data, **adaptive, **more})


def charge(client: Any, owner: str, card: str, key: str | None = None, cents: int = 5000):
    params = {"amount": cents, "currency": "usd", "customer": owner, "payment_method": card, "off_session": True}
    how = {"confirm": True, "automatic_payment_methods": NEVER_REDIRECT, "metadata": {"topup_id": "top_1"}}
    return client.v1.payment_intents.create(
        params={**params, **how, "error_on_requires_action": True}, options={"idempotency_key": key} if key else {}
    )


def test_a_card_is_saved_by_checkout(client, owner, stripe_world):
    session = setup_session(client, owner)
    assert session.status == "open" and session.payment_status == "no_payment_required"
    assert stripe_world.pay(session.url) == f"https://shop.test/done?session={session.id}"
    done = client.v1.checkout.sessions.retrieve(session.id, params={"expand": ["setup_intent.payment_method"]})
    assert done.status == "complete" and done.setup_intent.status == "succeeded"
    assert done.setup_intent.metadata["account_id"] == "acc_1"
    card = done.setup_intent.payment_method
    assert card.customer == owner and card.card.last4 == "4242" and card.card.fingerprint
    assert len(stripe_world.events("setup_intent.succeeded")) == 1
    assert stripe_world.events("checkout.session.completed")[0]["data"]["object"]["id"] == session.id


def test_a_payment_by_checkout_saves_its_card(client, owner, stripe_world):
    session = payment_session(client, owner)
    assert session.amount_total == 5000 and session.payment_intent is None
    stripe_world.pay(session.url)
    done = client.v1.checkout.sessions.retrieve(session.id, params={"expand": ["payment_intent", "line_items"]})
    intent = done.payment_intent
    assert (done.status, done.payment_status, done.client_reference_id) == ("complete", "paid", "top_1")
    assert (intent.status, intent.amount_received, intent.customer) == ("succeeded", 5000, owner)
    assert intent.metadata["topup_id"] == "top_1" and done.line_items.data[0].description == "Credit"
    assert charge(client, owner, intent.payment_method).status == "succeeded"


@pytest.mark.parametrize("number", [customer.DECLINED_AT_ONCE, customer.DECLINED_WHEN_CHARGED])
def test_a_declined_card_leaves_the_session_open_for_another(client, owner, stripe_world, number):
    session = payment_session(client, owner)
    with pytest.raises(customer.Declined, match="card"):
        stripe_world.pay(session.url, number)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    stripe_world.pay(session.url)
    failed, paid = stripe_world.events("payment_intent.payment_failed"), stripe_world.events("payment_intent.succeeded")
    assert [event["data"]["object"]["id"] for event in failed + paid].count(paid[0]["data"]["object"]["id"]) == 2


def test_a_session_expires_by_the_clock_or_by_a_call(client, owner, stripe_world):
    first, second = setup_session(client, owner), payment_session(client, owner)
    client.v1.checkout.sessions.expire(second.id)
    stripe_world.advance(24 * 3600 + 1)
    statuses = {one.id: one.status for one in client.v1.checkout.sessions.list(params={"customer": owner}).data}
    assert statuses == {first.id: "expired", second.id: "expired"}
    with pytest.raises(customer.Declined, match="expired"):
        stripe_world.pay(f"{stripe_world.base_url}/pay/{first.id}")
    assert len(stripe_world.events("checkout.session.expired")) == 2


@pytest.mark.parametrize(("number", "later"), [(customer.ASKS_UNTIL_SET_UP, True), (customer.ASKS_ALWAYS, False)])
def test_three_d_secure_on_the_page_and_what_is_remembered_of_it(client, owner, stripe_world, number, later):
    session = payment_session(client, owner)
    with pytest.raises(customer.Declined):
        stripe_world.pay(session.url, number, authenticate=False)
    stripe_world.pay(session.url, number)
    done = client.v1.checkout.sessions.retrieve(session.id, params={"expand": ["payment_intent"]})
    assert done.payment_intent.status == "succeeded"
    if later:
        assert charge(client, owner, done.payment_intent.payment_method).status == "succeeded"
    else:
        with pytest.raises(stripe.CardError, match="requires authentication"):
            charge(client, owner, done.payment_intent.payment_method)


def test_three_d_secure_when_a_card_is_saved(client, owner, stripe_world):
    session = setup_session(client, owner)
    stripe_world.pay(session.url, customer.ASKS_UNTIL_SET_UP)
    done = client.v1.checkout.sessions.retrieve(session.id, params={"expand": ["setup_intent"]})
    assert charge(client, owner, done.setup_intent.payment_method).status == "succeeded"


@pytest.mark.parametrize(
    ("number", "code", "decline_code"),
    [
        (customer.DECLINED_WHEN_CHARGED, "card_declined", "generic_decline"),
        (customer.ASKS_ALWAYS, "authentication_required", "authentication_required"),
        (customer.ASKS_UNTIL_SET_UP, "authentication_required", "authentication_required"),
    ],
)
def test_off_session_declines(client, owner, stripe_world, number, code, decline_code):
    with pytest.raises(stripe.CardError) as declined:
        charge(client, owner, stripe_world.attach_card(owner, number))
    assert declined.value.http_status == 402 and declined.value.code == code
    error: Any = declined.value.error
    assert error.decline_code == decline_code and error.payment_intent.metadata["topup_id"] == "top_1"


def test_refunds_stop_at_what_was_paid(client, owner, stripe_world):
    intent = charge(client, owner, stripe_world.attach_card(owner, customer.OK))
    refund = client.v1.refunds.create(params={"payment_intent": intent.id, "amount": 3000})
    assert refund.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create(params={"payment_intent": intent.id, "amount": 3000})
    assert stripe_world.events("charge.refunded") and stripe_world.events("refund.created")


def test_a_card_that_is_disputed_at_once(client, owner, stripe_world):
    intent = charge(client, owner, stripe_world.attach_card(owner, customer.DISPUTED))
    [created] = stripe_world.events("charge.dispute.created")
    dispute = client.v1.disputes.retrieve(created["data"]["object"]["id"])
    assert (dispute.payment_intent, dispute.amount, dispute.status) == (intent.id, 5000, "needs_response")
    stripe_world.close_dispute(dispute.id, won=False)
    assert client.v1.disputes.retrieve(dispute.id).status == "lost"


def test_a_dispute_that_comes_later_and_is_won(client, owner, stripe_world):
    intent = charge(client, owner, stripe_world.attach_card(owner, customer.OK))
    dispute = stripe_world.dispute(intent.id)
    stripe_world.close_dispute(dispute, won=True)
    assert client.v1.disputes.retrieve(dispute).status == "won"
    assert stripe_world.events("charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated")


def test_an_early_fraud_warning(client, owner, stripe_world):
    intent = charge(client, owner, stripe_world.attach_card(owner, customer.OK))
    warning = client.v1.radar.early_fraud_warnings.retrieve(stripe_world.warn_of_fraud(intent.id))
    assert warning.payment_intent == intent.id
    assert stripe_world.events("radar.early_fraud_warning.created")


def open_invoice(client: Any, owner: str, cents: int = 12345):
    params = {"customer": owner, "currency": "usd", "collection_method": "charge_automatically", "auto_advance": False}
    invoice = client.v1.invoices.create(
        params={**params, "pending_invoice_items_behavior": "exclude", "metadata": {"invoice_id": "inv_1"}}
    )
    item = {"customer": owner, "invoice": invoice.id, "currency": "usd", "amount": cents, "description": "GPU time"}
    client.v1.invoice_items.create(params=item)
    return client.v1.invoices.finalize_invoice(invoice.id)


def test_an_invoice_is_paid_with_the_card_that_is_named(client, owner, stripe_world):
    card = stripe_world.attach_card(owner, customer.OK)
    invoice = open_invoice(client, owner)
    assert (invoice.status, invoice.total) == ("open", 12345)
    paid = client.v1.invoices.pay(invoice.id, params={"payment_method": card, "off_session": True})
    assert paid.status == "paid" and stripe_world.events("invoice.paid")
    assert client.v1.customers.retrieve(owner).invoice_settings.default_payment_method is None


def test_an_invoice_is_paid_on_its_page_after_a_decline(client, owner, stripe_world):
    invoice = open_invoice(client, owner)
    with pytest.raises(stripe.CardError):
        declining = stripe_world.attach_card(owner, customer.DECLINED_WHEN_CHARGED)
        client.v1.invoices.pay(invoice.id, params={"payment_method": declining})
    assert stripe_world.events("invoice.payment_failed")
    stripe_world.pay(client.v1.invoices.retrieve(invoice.id).hosted_invoice_url, customer.ASKS_ALWAYS)
    assert client.v1.invoices.retrieve(invoice.id).status == "paid"


def test_an_invoice_paid_elsewhere_and_one_voided(client, owner):
    elsewhere, voided = open_invoice(client, owner), open_invoice(client, owner)
    assert client.v1.invoices.pay(elsewhere.id, params={"paid_out_of_band": True}).status == "paid"
    assert client.v1.invoices.void_invoice(voided.id).status == "void"


def test_the_portal_shows_and_changes_cards(client, owner, stripe_world):
    first, second = (stripe_world.attach_card(owner, customer.OK) for _ in range(2))
    session = client.v1.billing_portal.sessions.create(params={"customer": owner, "return_url": "https://shop.test/"})
    with loopback() as browser:
        browser.post(session.url, data={"default": second})
        browser.post(session.url, data={"remove": first})
        assert "4242 (default)" in browser.get(session.url).text
    assert client.v1.customers.retrieve(owner).invoice_settings.default_payment_method == second
    assert [one.id for one in client.v1.payment_methods.list(params={"customer": owner}).data] == [second]


def test_a_refund_that_the_bank_sends_back(client, owner, stripe_world):
    intent = charge(client, owner, stripe_world.attach_card(owner, customer.OK))
    refund = client.v1.refunds.create(params={"payment_intent": intent.id})
    stripe_world.fail_refund(refund.id)
    assert client.v1.refunds.retrieve(refund.id).status == "failed" and stripe_world.events("refund.failed")
    assert client.v1.refunds.create(params={"payment_intent": intent.id}).amount == 5000
    moved = [one.amount for one in client.v1.balance_transactions.list().data]
    assert moved == [-5000, 5000, -5000, 5000]


@pytest.mark.parametrize(("ok", "status"), [(True, "succeeded"), (False, "requires_payment_method")])
def test_a_payment_that_takes_its_time(client, owner, stripe_world, ok, status):
    stripe_world.slow_payments = True
    card = stripe_world.attach_card(owner, customer.OK)
    first, again = (charge(client, owner, card, key="topup:1:1") for _ in range(2))
    assert (first.status, again.id) == ("processing", first.id) and stripe_world.events("payment_intent.processing")
    stripe_world.finish(first.id, ok=ok)
    assert client.v1.payment_intents.retrieve(first.id).status == status


@pytest.mark.parametrize(("ok", "status", "event"), [(True, "paid", "succeeded"), (False, "unpaid", "failed")])
def test_a_checkout_payment_that_takes_its_time(client, owner, stripe_world, ok, status, event):
    stripe_world.slow_payments = True
    session = payment_session(client, owner)
    stripe_world.pay(session.url)
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status) == ("complete", "unpaid")
    stripe_world.finish(done.payment_intent, ok=ok)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == status
    assert len(stripe_world.events(f"checkout.session.async_payment_{event}")) == 1


def test_a_card_that_is_renewed(client, owner, stripe_world):
    card = stripe_world.attach_card(owner, customer.OK)
    stripe_world.renew_card(card, exp_year=2040)
    assert client.v1.payment_methods.retrieve(card).card.exp_year == 2040
    assert stripe_world.events("payment_method.automatically_updated")


def test_a_session_lives_half_an_hour_at_least(client, owner, stripe_world):
    with pytest.raises(stripe.InvalidRequestError, match="30 minutes"):
        payment_session(client, owner, expires_at=int(stripe_world.now()) + 600)


def test_a_lost_payment_is_found_among_the_customers(client, owner, stripe_world):
    card = stripe_world.attach_card(owner, customer.OK)
    charge(client, owner, card)
    stripe_world.advance(3600)
    late = charge(client, owner, card)
    since = {"customer": owner, "created": {"gte": int(stripe_world.now()) - 60}}
    assert [one.id for one in client.v1.payment_intents.list(params=since).data] == [late.id]


@pytest.mark.parametrize(("ok", "status"), [(True, "paid"), (False, "failed")])
def test_payouts(client, owner, stripe_world, ok, status):
    charge(client, owner, stripe_world.attach_card(owner, customer.OK))
    stripe_world.advance(8 * 24 * 3600)
    before = client.v1.balance.retrieve().available[0].amount
    payout = stripe_world.pay_out(1000, ok=ok)
    assert client.v1.payouts.retrieve(payout).status == status and stripe_world.events(f"payout.{status}")
    assert client.v1.balance.retrieve().available[0].amount == (before - 1000 if ok else before)
