"""What moved at Stripe and what the ledger says of it; operators' commands."""

import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from billing import accounts, card_refunds, ledger, reconciliation, stripe_events, stripe_movements, top_ups
from billing.ledger import Entry
from billing.models import LedgerTxn, StripeCursor, StripeEvent, TopUp
from billing.stripe_gateway import invoicing
from tests.billing.stripe_site import (
    CENT,
    DOLLAR,
    StripeSite,
    assert_books_agree_with_stripe,
    credit_of,
    payer_of,
    spend,
)

pytestmark = pytest.mark.stripe


def differences() -> list[str]:
    return [f"{one.subject}: {one.problem}" for one in reconciliation.run(["stripe"])["stripe"]]


def pay_elsewhere(site: StripeSite, buyer, cents: int = 1000) -> str:
    """A payment in Stripe's dashboard."""
    card = buyer.payment_methods.get().pk
    whose = {"customer": payer_of(buyer).stripe_customer_id, "payment_method": card}
    made = site.world.engine.post("/v1/payment_intents", amount=cents, currency="usd", confirm=True, **whose)
    return str(made["id"])


def test_inv_21_all_that_moved_is_explained_and_the_clearing_account_is_the_balance(site, buyer):
    first, second = site.buy(buyer), site.buy(buyer, 2000)
    spend(buyer, 10 * DOLLAR)
    card_refunds.refund_top_up(first.pk, reason="Asked for", amount_cents=1500)
    failed = card_refunds.refund_top_up(first.pk, reason="Asked for", amount_cents=500)
    site.world.fail_refund(failed.stripe_refund_id)
    dispute = site.world.dispute(second.payment_intent_id)
    site.drain()
    site.world.close_dispute(dispute, won=True)
    site.drain()
    assert differences() == []
    assert ledger.balance("suspense") == 0
    assert_books_agree_with_stripe()


def test_what_no_webhook_told_is_settled(site, buyer):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    site.world.pay(top_up.checkout_url)
    paid = site.buy(buyer, 1000)
    site.world.engine.post("/v1/refunds", payment_intent=paid.payment_intent_id)
    assert differences() == []
    assert credit_of(buyer) == 5000
    assert_books_agree_with_stripe()


def test_money_that_nothing_explains_lies_in_suspense_and_is_told(site, buyer):
    pay_elsewhere(site, buyer)
    [found] = differences()
    assert found.startswith("suspense: ")
    fee = site.world.engine.get("/v1/balance_transactions")["data"][0]["fee"]
    assert -ledger.balance("suspense") == (1000 - fee) * CENT
    assert_books_agree_with_stripe()
    assert differences() == [found]  # once


def test_money_of_a_payment_that_did_not_fit_is_no_credit_and_lies_in_suspense(site, buyer):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    TopUp.objects.filter(pk=top_up.pk).update(amount_cents=500_000)
    site.pay(top_up.checkout_url)
    assert credit_of(buyer) == 0 and differences()
    TopUp.objects.filter(pk=top_up.pk).update(amount_cents=5000)  # a person has put it right
    assert differences() == [] and credit_of(buyer) == 5000
    assert ledger.balance("suspense") == 0
    assert_books_agree_with_stripe()


def test_suspense_is_reviewed_beyond_the_look_back(site, buyer):
    top_up = top_ups.create_checkout(buyer.pk, 5000)
    TopUp.objects.filter(pk=top_up.pk).update(amount_cents=500_000)
    site.pay(top_up.checkout_url)
    assert differences()
    TopUp.objects.filter(pk=top_up.pk).update(amount_cents=5000)
    StripeCursor.objects.update(position=timezone.now() + datetime.timedelta(days=30))
    payment = LedgerTxn.objects.get(kind="unexplained").meta["explained_by"].split(":")[2]
    top_ups.settle_payment_intent(payment)
    stripe_movements.explain_all(now=timezone.now() + datetime.timedelta(days=30))
    assert ledger.balance("suspense") == 0
    assert_books_agree_with_stripe()


@pytest.mark.parametrize("ok", [True, False])
def test_payouts_go_to_the_bank_and_come_back(site, buyer, ok):
    site.buy(buyer)
    site.world.advance(datetime.timedelta(days=8))
    site.world.pay_out(4000, ok=ok)
    site.drain()
    assert ledger.balance("bank") == (4000 * CENT if ok else 0)
    assert differences() == []
    assert_books_agree_with_stripe()


def test_an_invoice_explains_the_charge_that_paid_it(site, buyer):
    customer_id = payer_of(buyer).stripe_customer_id
    made = invoicing.create_invoice(invoice_id="i1", customer_id=customer_id, currency="usd", number="INV-1")
    line = {"invoice_id": "i1", "customer_id": customer_id, "currency": "usd"}
    invoicing.add_invoice_line(made.id, position=1, cents=1500, description="Runs", **line)
    invoicing.add_invoice_line(made.id, position=2, cents=-300, description="Discount", **line)
    opened = invoicing.finalize_invoice(made.id, invoice_id="i1")
    assert (opened.status, opened.total_cents) == ("open", 1200)
    card = buyer.payment_methods.get().pk
    paid = invoicing.pay_invoice(made.id, invoice_id="i1", attempt=1, card_id=card)
    assert (paid.status, paid.paid_cents) == ("paid", 1200)
    with transaction.atomic():
        accounts.lock(buyer.pk)
        entries = [Entry("psp_clearing", 1200 * CENT), Entry(f"receivable:{buyer.pk}", -1200 * CENT)]
        ledger.post(f"stripe:invoice:{made.id}:paid", "invoice_paid", entries)
    assert differences() == []
    assert_books_agree_with_stripe()


def test_invoices_are_voided_sent_and_paid_elsewhere(site, buyer):
    customer_id = payer_of(buyer).stripe_customer_id
    states = []
    for invoice_id in ("i1", "i2"):
        made = invoicing.create_invoice(
            invoice_id=invoice_id, customer_id=customer_id, currency="usd", number=invoice_id, days_until_due=14
        )
        line = {"invoice_id": invoice_id, "customer_id": customer_id, "currency": "usd"}
        invoicing.add_invoice_line(made.id, position=1, cents=1500, description="Runs", **line)
        invoicing.finalize_invoice(made.id, invoice_id=invoice_id)
        sent = invoicing.send_invoice(made.id, invoice_id=invoice_id)
        assert sent.hosted_url
        end = invoicing.void_invoice if invoice_id == "i1" else invoicing.note_paid_elsewhere
        end(made.id, invoice_id=invoice_id)
        states.append(invoicing.find_invoice(made.id).status)
    assert states == ["void", "paid"]


def test_without_a_key_there_is_nothing_to_compare(site, buyer, settings):
    pay_elsewhere(site, buyer)
    settings.STRIPE_SECRET_KEY = ""
    assert differences() == []
    assert stripe_events.poll() == 0


def test_a_dead_event_is_told(site, buyer):
    site.buy(buyer)
    stripe_events.poll()
    event = StripeEvent.objects.all()[0]
    StripeEvent.objects.filter(pk=event.pk).update(state=StripeEvent.State.DEAD)
    assert differences() == [f"event/{event.pk}: could not be processed"]


def test_the_endpoint_is_made_with_the_version_and_its_events_are_believed(site, buyer, settings):
    out = StringIO()
    call_command("stripe_webhook_endpoint", stdout=out)
    settings.STRIPE_WEBHOOK_SECRETS = [out.getvalue().strip().rsplit("\n", 1)[1]]
    made = next(iter(site.world.endpoints.values()))
    assert made.shown["api_version"] == settings.STRIPE_API_VERSION
    assert made.shown["url"] == "http://localhost:8000/webhooks/stripe"
    site.world.webhook_secret = made.secret
    assert all(one.ok for one in site.world.deliver(site.post))


def checked() -> str:
    out = StringIO()
    call_command("billing_stripe_check", stdout=out)
    return out.getvalue()


def test_the_checklist_says_what_is_wrong(site, buyer, settings):
    with pytest.raises(CommandError):
        checked()
    call_command("stripe_webhook_endpoint", stdout=StringIO())
    stripe_events.poll()
    assert "WRONG" not in checked() and "3-D Secure" in checked()
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(CommandError):
        checked()
    settings.STRIPE_SECRET_KEY = ""
    with pytest.raises(CommandError):
        checked()
