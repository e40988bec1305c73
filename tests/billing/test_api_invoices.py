"""Invoices over the API: listed, read with their lines, their owner's alone."""

import pytest

from billing import prices
from billing.models import Invoice, InvoiceLine
from tests.billing.factories import NOON


@pytest.fixture
def invoice(alice):
    made = Invoice.objects.create(
        account=alice,
        kind=Invoice.Kind.MONTHLY,
        number="2026-000001",
        period="2026-11",
        first_seq=1,
        last_seq=3,
        carried_out_nanos=3_978_758,
        total_cents=1604,
        hosted_url="https://pay.example.test/in_1",
    )
    InvoiceLine.objects.create(
        invoice=made,
        position=1,
        description="alice/echo on gpu-t4",
        model_name="alice/echo",
        hardware="gpu-t4",
        meter="compute_time",
        price=prices.price_at("gpu-t4", NOON),
        quantity=71_306_572_258,
        runs=9,
        amount_nanos=16_043_978_758,
        amount_cents=1604,
    )
    return made


def test_an_invoice_is_read_with_its_lines(api, invoice):
    found = api.get(f"/v1/billing/invoices/{invoice.pk}").json()
    assert (found["number"], found["total"], found["carried_out"]) == ("2026-000001", "16.04", "0.003978758")
    [line] = found.pop("lines")
    assert (line["exact"], line["amount"], line["runs"]) == ("16.043978758", "16.04", 9)
    assert line["unit_price"] == {"rate": "0.000225", "per_units": 1_000_000}
    assert api.get("/v1/billing/invoices").json()["results"] == [found]


@pytest.mark.parametrize(("state", "can_be_paid"), [("open", True), ("past_due", True), ("paid", False)])
def test_the_page_to_pay_on_is_told_while_something_is_due(api, invoice, state, can_be_paid):
    Invoice.objects.update(state=state)
    assert bool(api.get(f"/v1/billing/invoices/{invoice.pk}").json()["pay_url"]) == can_be_paid


def test_a_strangers_invoice_is_not_found(stranger_api, invoice):
    assert stranger_api.get(f"/v1/billing/invoices/{invoice.pk}").status_code == 404
    assert stranger_api.get("/v1/billing/invoices").json()["results"] == []


def test_an_invoice_is_a_pdf_and_a_csv_file_too(api, stranger_api, invoice):
    path = f"/v1/billing/invoices/{invoice.pk}"
    pdf, lines = api.get(f"{path}.pdf"), api.get(f"{path}.csv")
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert 'filename="2026-000001.csv"' in lines.headers["content-disposition"]
    assert "16.043978758,16.04,usd" in lines.text
    assert [stranger_api.get(f"{path}.{kind}").status_code for kind in ("pdf", "csv")] == [404, 404]
