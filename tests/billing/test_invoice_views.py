"""Pages of invoices, refunds and credit: the owner's alone."""

from typing import Any

import pytest
from django.utils import timezone

from billing import invoices, posting
from billing.models import (
    BillingAccount,
    CardRefund,
    FaultAppeal,
    Invoice,
    InvoiceLine,
    Meter,
    Price,
    TopUp,
    UsageRecord,
)  # fmt: skip
from billing.shown_bills import shown_bill
from tests.billing.factories import fund, use
from tests.plugins.people import Person


@pytest.fixture
def invoice(alice_at_home: Person) -> Invoice:
    """One of a usage line."""
    invoice = Invoice.objects.create(
        account=alice_at_home.account, kind=Invoice.Kind.MONTHLY, number="INV-2026-7", period="2026-10", first_seq=1,
        last_seq=2, total_cents=1604, carried_out_nanos=3_978_758, due_at=timezone.now(),
    )  # fmt: skip
    InvoiceLine.objects.create(
        invoice=invoice, position=1, description="alice/echo on cpu", model_name="alice/echo", hardware="cpu",
        meter=Meter.COMPUTE_TIME, price=Price.objects.filter(sku="cpu").get(), quantity=90_000_000, runs=12,
        amount_nanos=16_043_978_758, amount_cents=1604,
    )  # fmt: skip
    return invoice


def _refund(person: Person) -> UsageRecord:
    use(person.account)
    paid = UsageRecord.objects.get()
    return UsageRecord.objects.create(
        key=f"{paid.key}:c1", account=person.account, subject=paid.subject, meter=paid.meter, quantity=-paid.quantity,
        price=paid.price, gross_nanos=-paid.gross_nanos, amount_nanos=-paid.amount_nanos,
        occurred_at=paid.occurred_at, period=paid.period, model_name=paid.model_name, version_id="v",
        hardware=paid.hardware, corrects=paid, reason="The host lost its disk.",
    )  # fmt: skip


def test_an_invoice_is_listed_and_shows_its_lines(alice_at_home: Person, invoice: Invoice) -> None:
    listed = alice_at_home.get("/account/billing/invoices").content.decode()
    assert f"/account/billing/invoices/{invoice.pk}" in listed
    page = alice_at_home.get(f"/account/billing/invoices/{invoice.pk}").content.decode()
    for shown in (
        "INV-2026-7.pdf",
        "INV-2026-7.csv",
        "alice/echo on cpu",
        "1 min 30 s",
        "$0.0001 per second",
        "$16.04",
        "$0.003979",
    ):
        assert shown in page, shown


def test_somebody_elses_invoice_is_not_found(stranger_at_home: Person, invoice: Invoice) -> None:
    assert stranger_at_home.get(f"/account/billing/invoices/{invoice.pk}").status_code == 404
    assert "INV-2026-7" not in stranger_at_home.get("/account/billing/invoices").content.decode()


def test_refunds_say_what_came_back_and_why(alice_at_home: Person, stranger_at_home: Person) -> None:
    refund = _refund(alice_at_home)
    FaultAppeal.objects.create(subject="prediction/x", account=alice_at_home.account, note="it was you")
    top_up = TopUp.objects.create(account=alice_at_home.account, source=TopUp.Source.CHECKOUT, amount_cents=500)
    CardRefund.objects.create(top_up=top_up, amount_cents=321, reason="Asked for it.")
    page = alice_at_home.get("/account/billing/refunds").content.decode()
    run = refund.subject.removeprefix("prediction/")
    for shown in (f"/p/{run}", "$0.000025", "The host lost its disk.", "it was you", "$3.21", "Asked for it."):
        assert shown in page, shown
    others = stranger_at_home.get("/account/billing/refunds").content.decode()
    assert "No refunds" in others
    assert "lost its disk" not in others


def test_credit_shows_buckets_and_purchases(alice_at_home: Person, stranger_at_home: Person, settings: Any) -> None:
    settings.STRIPE_SECRET_KEY = "sk_test_x"
    fund(alice_at_home.account, 12_340_000_000)
    TopUp.objects.create(
        account=alice_at_home.account, source=TopUp.Source.SAVED_CARD, amount_cents=5000, card="visa 4242",
        state=TopUp.State.FAILED, error="The card was declined.",
    )  # fmt: skip
    page = alice_at_home.get("/account/billing/credit").content.decode()
    for shown in ("$12.34", "$50.00", "visa 4242", "The card was declined."):
        assert shown in page, shown
    assert "$50.00" not in stranger_at_home.get("/account/billing/credit").content.decode()


@pytest.mark.parametrize(("mode", "words"), [("internal", "needs no credit"), ("prepaid", "an operator grants credit")])
def test_credit_without_stripe_says_where_it_comes_from(alice_at_home: Person, mode: str, words: str) -> None:
    BillingAccount.objects.create(account=alice_at_home.account, mode=mode)
    assert words in alice_at_home.get("/account/billing/credit").content.decode()


@pytest.mark.parametrize("path", ["invoices", "refunds", "credit"])
def test_pages_take_few_queries(alice_at_home: Person, django_assert_max_num_queries: Any, path: str) -> None:
    for number in range(5):
        Invoice.objects.create(
            account=alice_at_home.account, kind="monthly", number=str(number), period=f"2026-{number + 1:02d}",
            first_seq=number, last_seq=number, total_cents=1,
        )  # fmt: skip
        TopUp.objects.create(account=alice_at_home.account, source=TopUp.Source.CHECKOUT, amount_cents=500)
        fund(alice_at_home.account, 1)
    with django_assert_max_num_queries(8):
        alice_at_home.get(f"/account/billing/{path}")


def test_a_line_leads_to_its_runs_and_a_run_to_its_line(alice_at_home: Person, stranger_at_home: Person) -> None:
    fund(alice_at_home.account, 10**10)
    mine = use(alice_at_home.account, predict_us=60_000_000)
    other = use(alice_at_home.account, model_name="alice/other")
    posting.post_usage()
    issued = invoices.close_period(alice_at_home.account.pk, "2026-11")
    assert issued
    line = issued.lines.get(model_name="alice/echo")
    address = f"/account/billing/records?line={line.pk}"
    assert address in alice_at_home.get(f"/account/billing/invoices/{issued.pk}").content.decode()
    records = alice_at_home.get(address).content.decode()
    assert [f"/p/{run}" in records for run in (mine, other)] == [True, False]
    assert f"/p/{mine}" not in stranger_at_home.get(address).content.decode()
    bill = shown_bill(f"prediction/{mine}", billing_class="shared", has_started=True)
    assert bill and bill.invoice_line == line
