"""Invoices and receipts as pages and files: what they show, and to whom."""

import csv
import io

import pytest

from billing import csv_exports, document_pdf, usage_lines
from billing.documents import invoice_document, receipt_document
from billing.models import BillingAccount, Invoice, TopUp, UsageRecord
from billing.money import as_fixed_string
from billing.posting import post_usage
from tests.billing.factories import NOON, use
from tests.billing.invoicing import closed, postpaid, used
from tests.plugins.people import Person


@pytest.fixture
def invoice(alice_at_home: Person) -> Invoice:
    postpaid(alice_at_home.account)
    BillingAccount.objects.update(billing_name="Ąžuolas Ελλάς Київ GmbH", billing_address="Hauptstraße 1\n10115 Berlin")
    used(alice_at_home.account, 10, model_name="alice/=cmd")
    return closed(alice_at_home.account)


@pytest.fixture
def receipt(alice_at_home: Person) -> TopUp:
    postpaid(alice_at_home.account)
    return TopUp.objects.create(
        account=alice_at_home.account,
        source="checkout",
        amount_cents=5000,
        tax_cents=950,
        state="succeeded",
        receipt_number="REC-2026-000001",
        card="visa 4242",
        settled_at=NOON,
        seller={"name": "Acme"},
        buyer={"name": "Älice"},
    )


def rows_of(response):
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode(), newline="")))


def test_the_page_shows_the_lines_and_the_names_of_then(alice_at_home, invoice):
    BillingAccount.objects.update(billing_name="Somebody else")
    page = alice_at_home.get(f"/account/invoices/{invoice.number}").content.decode()
    assert "Ąžuolas Ελλάς Київ GmbH" in page and "10115 Berlin" in page and "Somebody else" not in page
    assert "$10.00" in page and "alice/=cmd on gpu-h100" in page
    assert "$0.001525 per second" in page


def test_the_pdf_is_one_and_has_the_same_data(alice_at_home, invoice):
    response = alice_at_home.get(f"/account/invoices/{invoice.number}.pdf")
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.content.startswith(b"%PDF-")
    assert b"DejaVu" in response.content


def test_many_lines_go_on_to_further_pages(alice_at_home, invoice):
    document = invoice_document(invoice)
    document.rows.extend(document.rows * 80)
    assert document_pdf.render_pdf(document).count(b"/Type /Page\n") > 1


def test_the_csv_adds_up_and_no_cell_is_a_formula(alice_at_home, invoice):
    use(alice_at_home.account, model_name="=cmd()")
    rows = rows_of(alice_at_home.get(f"/account/invoices/{invoice.number}.csv"))
    amounts = [row[rows[0].index("amount")] for row in rows[1:]]
    assert amounts == ["10.00"]
    assert rows[1][rows[0].index("exact_amount")] == as_fixed_string(invoice.lines.get().amount_nanos)


def test_a_receipt_shows_tax_card_and_names(alice_at_home, receipt):
    page = alice_at_home.get("/account/receipts/REC-2026-000001").content.decode()
    for words in ("$50.00", "$9.50", "$59.50", "visa 4242", "Acme", "Älice", "10 November 2026"):
        assert words in page
    assert alice_at_home.get("/account/receipts/REC-2026-000001.pdf").content.startswith(b"%PDF-")
    assert receipt_document(receipt).title == "Receipt"


@pytest.mark.parametrize("kind", ["", ".pdf", ".csv"])
def test_a_stranger_sees_none(stranger_at_home, visitor, invoice, receipt, kind):
    assert stranger_at_home.get(f"/account/invoices/{invoice.number}{kind}").status_code == 404
    assert visitor.get(f"/account/invoices/{invoice.number}{kind}").status_code == 302
    if kind != ".csv":
        assert stranger_at_home.get(f"/account/receipts/{receipt.receipt_number}{kind}").status_code == 404


def test_an_unpaid_top_up_has_no_receipt(alice_at_home, receipt):
    TopUp.objects.update(state="failed")
    assert alice_at_home.get("/account/receipts/REC-2026-000001").status_code == 404


def test_the_usage_file_has_every_record_with_its_invoice(alice_at_home, invoice, stranger_at_home):
    use(alice_at_home.account, 1_234_567, hardware="gpu-t4", model_name="@evil/model", token_id=7)
    use(stranger_at_home.account)
    rows = rows_of(alice_at_home.get("/account/usage/2026-11.csv"))
    header, *lines = rows
    assert tuple(header) == tuple(usage_lines.COLUMNS)
    assert len(lines) == UsageRecord.objects.filter(account=alice_at_home.account).count() == 2
    found = [dict(zip(header, line, strict=True)) for line in lines]
    by_model = {line["model"]: line for line in found}
    assert by_model["alice/=cmd"]["invoice"] == invoice.number
    evil = by_model["'@evil/model"]
    assert (evil["amount"], evil["status"], evil["api_token_id"]) == ("0.000277778", "pending", "7")
    assert (evil["occurred_at"], evil["unit"]) == ("2026-11-10T12:00:00.000000Z", "1000000 microseconds")
    assert evil["prediction_id"] and not evil["instance_id"]
    assert alice_at_home.get("/account/usage/2026-13.csv").status_code == 404


def test_the_journal_balances_every_day(alice_at_home, invoice):
    post_usage()
    month = f"{invoice.issued_at:%Y-%m}"
    header, *lines = list(csv_exports.journal(month))
    assert header[:5] == ["day", "kind", "account", "debit", "credit"]
    assert {line[2] for line in lines} >= {"receivable", "unbilled", "revenue"}
    assert sum(nanos(line[3]) for line in lines) == sum(nanos(line[4]) for line in lines) > 0


def nanos(text):
    return int(text.replace(".", ""))
