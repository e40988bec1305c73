"""Collecting invoices: by Stripe, by hand, the days of dunning, and what the account becomes."""

import datetime

import pytest
from django.core import mail

from billing import collection, dunning, invoice_settling, ledger
from billing.models import BillingAccount, Invoice, LedgerTxn
from billing.stripe_gateway import invoicing
from marketplace.lib.problems import Conflict, ValidationFailed
from tests.accounts.factories import UserFactory
from tests.billing.invoicing import CENT, adds_up, closed, postpaid, used
from tests.billing.stripe_site import StripeSite, together
from tests.stripe_front import customer

DAY = datetime.timedelta(days=1)


@pytest.fixture
def operator(db):
    return UserFactory.create(username="olga", is_staff=True)


@pytest.fixture
def invoice(alice):
    """Ten dollars, to be paid by transfer."""
    postpaid(alice)
    used(alice, 10)
    return closed(alice)


def status_of(account):
    return BillingAccount.objects.get(pk=account.pk).status


class TestByHand:
    def test_a_transfer_pays_it_once(self, alice, invoice, operator):
        total = invoice.total_cents * CENT
        for _ in range(2):
            assert invoice_settling.pay_by_hand(operator, invoice, reference="B-17").state == "paid"
        assert (ledger.balance("bank"), ledger.balance(f"receivable:{alice.pk}")) == (total, 0)
        with pytest.raises(Conflict, match="paid"):
            invoice_settling.pay_by_hand(operator, invoice, reference="B-18")
        with pytest.raises(ValidationFailed, match="reference"):
            invoice_settling.pay_by_hand(operator, invoice, reference=" ")

    def test_what_was_voided_is_on_the_next(self, alice, invoice, operator):
        invoice_settling.void(operator, invoice, reason="wrong address")
        assert ledger.balance(f"receivable:{alice.pk}") == 0
        again = closed(alice, "2026-12")
        assert (again.total_cents, again.first_seq) == (invoice.total_cents, invoice.last_seq + 1)
        assert adds_up(again)

    def test_a_person_writes_it_off(self, alice, invoice, operator):
        invoice_settling.write_off(operator, invoice, reason="bankrupt")
        assert ledger.balance("bad_debt") == invoice.total_cents * CENT
        assert Invoice.objects.get().state == "uncollectible"

    def test_a_credit_note_gives_credit_at_most_what_was_paid(self, alice, invoice, operator):
        with pytest.raises(Conflict):
            invoice_settling.credit_note(operator, invoice, amount_cents=1, reason="x")
        invoice_settling.pay_by_hand(operator, invoice, reference="B-17")
        number = invoice_settling.credit_note(operator, invoice, amount_cents=400, reason="x")
        assert number.startswith("CRN-") and number.endswith("-000001")
        assert -ledger.balance(f"wallet:{alice.pk}") == 400 * CENT
        with pytest.raises(ValidationFailed, match="at most"):
            invoice_settling.credit_note(operator, invoice, amount_cents=invoice.total_cents - 399, reason="x")

    def test_f37_reminders_restrict_then_suspend_and_a_late_payment_restores(self, alice, invoice, operator):
        seen = []
        for day in range(16):
            collection.collect_due(invoice.due_at + day * DAY)
            seen.append(status_of(alice))
        assert seen == ["active"] * 7 + ["restricted"] * 7 + ["suspended"] * 2
        assert len(mail.outbox) == len(dunning.STEPS)
        invoice_settling.pay_by_hand(operator, invoice, reference="late")
        assert status_of(alice) == "active"

    def test_an_unpaid_one_that_is_not_due_waits(self, invoice):
        assert collection.collect_due(invoice.due_at - DAY) == 0
        assert not mail.outbox


def test_more_lines_than_stripe_takes_are_merged(alice, monkeypatch):
    monkeypatch.setattr(collection, "MOST_LINES", 3)
    postpaid(alice)
    for number in range(5):
        used(alice, 1, model_name=f"alice/m{number}")
    invoice = closed(alice)
    lines = collection._lines_for_stripe(invoice)
    assert len(lines) == 3
    assert sum(cents for _, _, cents in lines) == invoice.total_cents


@pytest.mark.stripe
class TestByStripe:
    @pytest.fixture
    def owing(self, site, buyer):
        """Ten dollars, to be paid with the saved card."""
        postpaid(buyer)
        used(buyer, 10)
        return closed(buyer)

    def test_the_saved_card_pays_it(self, site: StripeSite, buyer, owing):
        assert collection.collect_due() == 1
        owing.refresh_from_db()
        assert (owing.state, owing.next_collection_at) == ("paid", None)
        assert ledger.balance("psp_clearing") == owing.total_cents * CENT
        assert site.charges() == 1
        site.drain()
        assert collection.collect_due() == 0
        assert LedgerTxn.objects.filter(kind="invoice_paid").count() == 1

    def test_f35_three_at_once_charge_once(self, site, buyer, owing):
        together(collection.collect_due, 3)
        collection.collect_due()
        site.drain()
        assert site.charges() == 1
        assert len(site.world.engine.get("/v1/invoices", limit=10)["data"]) == 1
        assert Invoice.objects.get().state == "paid"

    @pytest.mark.parametrize(
        "step", ["create_invoice", "add_invoice_line", "finalize_invoice", "pay_invoice", "find_invoice"]
    )
    def test_f35_killed_after_any_call_charges_once(self, site, buyer, owing, monkeypatch, step):
        real = getattr(invoicing, step)

        def dies(*args, **options):
            real(*args, **options)
            raise SystemExit

        with monkeypatch.context() as patched:
            patched.setattr(invoicing, step, dies)
            with pytest.raises(SystemExit):
                collection.collect_due()
        collection.collect_due()
        [theirs] = site.world.engine.get("/v1/invoices", limit=10)["data"]
        assert theirs["total"] == owing.total_cents
        assert site.charges() == 1
        assert Invoice.objects.get().state == "paid"

    def test_f36_another_total_is_voided_and_not_collected(self, site, buyer, owing, monkeypatch):
        real = collection._lines_for_stripe
        monkeypatch.setattr(collection, "_lines_for_stripe", lambda one: [*real(one), (99, "a cent", 1)])
        collection.collect_due()
        assert Invoice.objects.get().state == "void"
        [theirs] = site.world.engine.get("/v1/invoices", limit=10)["data"]
        assert theirs["status"] == "void"
        assert site.charges() == 0
        assert ledger.balance(f"receivable:{buyer.pk}") == 0

    def test_f37_declined_four_times(self, site, alice):
        site.save_card(alice, customer.DECLINED_WHEN_CHARGED)
        postpaid(alice)
        used(alice, 10)
        invoice = closed(alice)
        assert invoice.due_at
        seen = []
        for day in range(16):
            collection.collect_due(invoice.due_at + day * DAY)
            seen.append(status_of(alice))
        assert seen == ["active"] * 7 + ["restricted"] * 7 + ["suspended"] * 2
        paths = [call.key for call in site.world.calls if call.method == "POST" and call.path.endswith("/pay")]
        assert paths == [f"pay:{invoice.pk}:{attempt}" for attempt in (1, 2, 3, 4)]
        invoice.refresh_from_db()
        assert invoice.state == "past_due" and invoice.hosted_url
        card = site.save_card(alice)
        invoicing.pay_invoice(str(invoice.stripe_invoice_id), invoice_id=invoice.pk, attempt=9, card_id=card.pk)
        site.drain()
        assert status_of(alice) == "active"
        assert Invoice.objects.get().state == "paid"

    def test_f38_paid_out_of_band_is_not_charged_again(self, site, buyer, owing, operator, monkeypatch):
        collection._hand_over(owing)
        invoice_settling.pay_by_hand(operator, owing, reference="B-17")
        assert collection.collect_due() == 1
        theirs = invoicing.find_invoice(str(Invoice.objects.get().stripe_invoice_id))
        assert theirs.status == "paid"
        site.drain()
        assert collection.collect_due() == 0
        assert (ledger.balance("bank"), ledger.balance(f"receivable:{buyer.pk}")) == (owing.total_cents * CENT, 0)
        assert site.charges() == 0

    def test_without_a_card_it_is_sent(self, site, alice):
        postpaid(alice)
        used(alice, 10)
        invoice = closed(alice)
        collection.collect_due()
        assert any(call.path.endswith("/send") for call in site.world.calls)
        invoice.refresh_from_db()
        assert (invoice.state, invoice.next_collection_at) == ("open", invoice.due_at)
