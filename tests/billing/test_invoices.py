"""Closing periods: what is on an invoice, that it is on one alone, and that its lines add up."""

import datetime
import threading

import pytest
from django.db import connection

from billing import invoice_jobs, invoices, ledger, notices
from billing.invoice_lines import Kind
from billing.invoices import InvoiceDoesNotAddUp
from billing.models import BillingAccount, Invoice, InvoiceLine, LedgerEntry, UsagePosting, UsageRecord
from billing.posting import post_usage
from tests.billing.factories import NOON, buy, fund, use
from tests.billing.invoicing import CENT, DOLLAR, NOVEMBER, SECOND, adds_up, closed, postpaid, used

FIRST = datetime.datetime(2026, 12, 1, 6, tzinfo=datetime.UTC)


def lines(invoice):
    return [(line.kind, line.amount_nanos, line.amount_cents) for line in invoice.lines.order_by("position")]


def test_a_month_of_a_postpaid_account(alice):
    postpaid(alice)
    use(alice, 8_814_285_700, hardware="gpu-a100-large")
    use(alice, 1_234_567, hardware="gpu-t4")
    post_usage()
    invoice = closed(alice)
    assert (invoice.kind, invoice.state, invoice.number) == ("monthly", "open", "INV-2026-000001")
    assert (invoice.total_cents, invoice.carried_out_nanos) == (1234, 277_758)
    assert lines(invoice) == [("usage", 12_339_999_980, 1234), ("usage", 277_778, 0)]
    assert ledger.balance(f"receivable:{alice.pk}") == 1234 * CENT
    assert ledger.balance(f"unbilled:{alice.pk}") == 277_758
    assert BillingAccount.objects.get(pk=alice.pk).owed_nanos == 12_340_277_758
    assert adds_up(invoice)


def test_closing_again_gives_the_same_one(alice):
    postpaid(alice)
    used(alice, 3)
    first = closed(alice)
    used(alice, 4)
    assert closed(alice) == first
    assert Invoice.objects.count() == 1


def test_the_fraction_of_a_cent_is_on_the_next(alice):
    postpaid(alice)
    used(alice, 3)
    before = closed(alice)
    used(alice, 2, occurred_at=FIRST)
    after = closed(alice, "2026-12")
    assert (after.first_seq, after.carried_in_nanos) == (before.last_seq + 1, before.carried_out_nanos)
    assert adds_up(before) and adds_up(after)
    whole = sum(UsageRecord.objects.values_list("amount_nanos", flat=True))
    assert (before.total_cents + after.total_cents) * CENT + after.carried_out_nanos == whole


def test_less_than_the_minimum_is_carried_whole(alice):
    postpaid(alice)
    use(alice, 20 * SECOND)
    post_usage()
    invoice = closed(alice)
    assert (invoice.total_cents, invoice.state, invoice.carried_out_nanos) == (0, "paid", 500_000)
    assert ledger.balance(f"unbilled:{alice.pk}") == 500_000
    assert adds_up(invoice)


def test_a_prepaid_account_gets_a_statement_with_nothing_due(alice):
    fund(alice, DOLLAR)
    buy(alice, 10 * DOLLAR)
    used(alice, 3)
    statement = closed(alice)
    assert (statement.kind, statement.number, statement.state) == ("statement", "STM-2026-000001", "paid")
    by_kind = {line.description: line.amount_nanos for line in statement.lines.exclude(kind=Kind.USAGE)}
    assert by_kind["Paid with free credit"] == -DOLLAR
    assert by_kind["Paid with purchased credit"] == -(sum_of(alice) - DOLLAR)
    assert statement.total_cents == statement.carried_out_nanos == 0
    assert adds_up(statement)


def sum_of(account):
    return sum(UsageRecord.objects.filter(account=account).values_list("amount_nanos", flat=True))


def test_an_overrun_is_due_and_the_wallet_is_even_again(alice):
    buy(alice, DOLLAR)
    BillingAccount.objects.filter(pk=alice.pk).update(mode="prepaid")
    used(alice, 3)
    statement = closed(alice)
    assert (statement.kind, statement.state, statement.number) == ("statement", "open", "INV-2026-000001")
    assert statement.total_cents * CENT + statement.carried_out_nanos == sum_of(alice) - DOLLAR
    assert statement.lines.get(kind=Kind.OVERRUN).amount_nanos == sum_of(alice) - DOLLAR
    assert ledger.balance(f"wallet:{alice.pk}") == statement.carried_out_nanos
    assert adds_up(statement)


def test_an_overrun_that_a_top_up_paid_is_on_no_bill(alice):
    buy(alice, DOLLAR)
    BillingAccount.objects.filter(pk=alice.pk).update(mode="prepaid")
    used(alice, 3)
    buy(alice, 10 * DOLLAR)
    statement = closed(alice)
    assert (statement.total_cents, statement.carried_out_nanos) == (0, 0)
    assert adds_up(statement)


def test_an_internal_account_gets_none(alice):
    used(alice, 3)
    assert invoices.close_period(alice.pk, NOVEMBER) is None


def test_nothing_of_the_period_is_no_invoice_yet(alice):
    postpaid(alice)
    used(alice, 3, occurred_at=FIRST)
    assert invoices.close_period(alice.pk, NOVEMBER) is None
    assert closed(alice, "2026-12")


def test_inv_18_every_record_is_on_one_line_and_every_line_knows_its_records(alice, stranger):
    for account in (alice, stranger):
        postpaid(account)
    for number in range(12):
        used(alice, 1, model_name=f"alice/model-{number % 3}")
        used(stranger, 1)
        if number % 4 == 3:
            invoices.issue_interim(alice.pk)
            closed(alice, f"2026-{number}")
    made = Invoice.objects.filter(account=alice)
    closed(alice)
    assert made.count() >= 2
    found = []
    for line in InvoiceLine.objects.filter(invoice__account=alice, kind=Kind.USAGE):
        records = list(invoices.records_of(line))
        assert sum(record.amount_nanos for record in records) == line.amount_nanos
        assert len(records) == line.runs
        assert all(invoices.line_of(record) == line for record in records)
        found += records
    assert sorted(record.pk for record in found) == sorted(
        UsageRecord.objects.filter(account=alice).values_list("pk", flat=True)
    )
    assert invoices.line_of(UsageRecord.objects.filter(account=stranger)[0]) is None
    assert all(adds_up(invoice) for invoice in made.all())


def test_inv_16_invoices_and_carry_are_the_ledgers_entries(alice):
    postpaid(alice)
    carried = 0
    for month in ("2026-11", "2026-12", "2027-01"):
        for _ in range(3):
            used(alice, 1, occurred_at=datetime.datetime.fromisoformat(f"{month}-10T00:00:00+00:00"))
        invoice = closed(alice, month)
        entries = LedgerEntry.objects.filter(
            code=f"unbilled:{alice.pk}",
            txn__in=UsagePosting.objects.filter(seq__gte=invoice.first_seq, seq__lte=invoice.last_seq).values("txn"),
        )
        covered = sum(entries.values_list("amount_nanos", flat=True))
        assert carried + covered == invoice.total_cents * CENT + invoice.carried_out_nanos
        carried = invoice.carried_out_nanos


def test_lines_that_disagree_with_the_ledger_are_not_issued(alice, monkeypatch):
    postpaid(alice)
    used(alice, 3)
    monkeypatch.setattr(invoices, "build", lambda *args, **options: [])
    with pytest.raises(InvoiceDoesNotAddUp):
        closed(alice)
    assert invoice_jobs.close_periods(FIRST) == 0
    assert not Invoice.objects.exists()
    assert ledger.balance(f"receivable:{alice.pk}") == 0


def test_the_names_on_it_stay_as_they_were(alice, settings):
    settings.BILLING_SELLER_NAME, settings.BILLING_SELLER_TAX_ID = "Acme Compute", "EU123"
    postpaid(alice)
    BillingAccount.objects.filter(pk=alice.pk).update(billing_name="Älice GmbH", tax_id="DE1")
    used(alice, 1)
    invoice = closed(alice)
    assert invoice.seller == {"name": "Acme Compute", "address": "", "tax_id": "EU123"}
    assert (invoice.buyer["name"], invoice.buyer["account"], invoice.buyer["tax_id"]) == ("Älice GmbH", "alice", "DE1")


class TestJobs:
    def test_last_month_is_closed_for_everybody_once(self, alice, stranger):
        postpaid(alice)
        fund(stranger, 10 * DOLLAR)
        used(alice, 3), used(stranger, 3)
        assert invoice_jobs.close_periods(FIRST) == 2
        assert invoice_jobs.close_periods(FIRST) == 0

    @pytest.mark.parametrize("moment", [FIRST - datetime.timedelta(seconds=1), FIRST + datetime.timedelta(days=7)])
    def test_not_before_six_hours_nor_after_a_week(self, alice, moment):
        postpaid(alice)
        used(alice, 3)
        assert invoice_jobs.close_periods(moment) == 0

    def test_who_owes_too_much_is_billed_at_once_then_at_twice_as_much(self, alice):
        postpaid(alice)
        used(alice, 49)
        assert invoice_jobs.issue_interims() == 0
        used(alice, 2)
        assert invoice_jobs.issue_interims() == 1
        used(alice, 40)
        assert invoice_jobs.issue_interims() == 0
        used(alice, 10)
        assert invoice_jobs.issue_interims() == 1
        assert set(Invoice.objects.values_list("kind", flat=True)) == {"interim"}

    def test_f47_usage_that_comes_late_is_on_the_next_one(self, alice):
        postpaid(alice)
        used(alice, 3)
        first = closed(alice)
        late = used(alice, 2, occurred_at=NOON)
        assert invoices.line_of(late) is None
        second = closed(alice, "2026-12")
        assert invoices.line_of(late) in list(second.lines.all())
        assert second != first
        assert (second.first_seq, second.last_seq) == (2, 2)


@pytest.mark.django_db(transaction=True)
def test_f35_many_at_once_make_one(alice):
    postpaid(alice)
    used(alice, 3)
    found = []

    def close():
        found.append(closed(alice))
        connection.close()

    threads = [threading.Thread(target=close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({invoice.pk for invoice in found}) == 1
    assert Invoice.objects.get().number.endswith("-000001")


@pytest.mark.parametrize("step", ["take_number", "_write_lines", "tell", "_post_issued"])
def test_f35_killed_after_any_step_leaves_nothing_and_no_gap(alice, monkeypatch, step):
    postpaid(alice)
    used(alice, 3)
    with monkeypatch.context() as patched:
        owner, name = (notices, "tell") if step == "tell" else (invoices, step)
        real = getattr(owner, name)

        def dies(*args, **options):
            real(*args, **options)
            raise SystemExit

        patched.setattr(owner, name, dies)
        with pytest.raises(SystemExit):
            closed(alice)
    assert not Invoice.objects.exists()
    assert ledger.balance(f"receivable:{alice.pk}") == 0
    assert closed(alice).number == "INV-2026-000001"
