"""Money in the operators' console: every list and row renders for staff alone, writes ask why, books add up."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry
from billing import invoices, posting
from billing.models import (
    BillingAccount,
    CardRefund,
    DaySeal,
    Dispute,
    FaultAppeal,
    Hold,
    Invoice,
    InvoiceLine,
    LedgerBalance,
    LedgerTxn,
    Meter,
    PaymentMethod,
    Price,
    PublisherAgreement,
    PublisherPayout,
    RefundProposal,
    RunReceipt,
    SpendCounter,
    SpendLimit,
    StripeCall,
    StripeEvent,
    TopUp,
    UsageRecord,
)
from billing.statements import movements
from tests.billing.factories import fund, use
from tests.marketplace.test_console import list_of, page_of
from tests.plugins.people import Person

KINDS: list[Any] = [
    BillingAccount, CardRefund, DaySeal, Dispute, FaultAppeal, Hold, Invoice, LedgerBalance, LedgerTxn, PaymentMethod,
    PublisherAgreement, PublisherPayout, RefundProposal, RunReceipt, SpendCounter, SpendLimit, StripeCall, StripeEvent,
    TopUp,
]  # fmt: skip
SECRET = "do-not-show-this"
FUND = 10_000_000_000


@pytest.fixture
def everything(alice_at_home: Person, olga: Person) -> BillingAccount:
    """One row or more of each kind, all of Alice's; her billing account."""
    account, now = alice_at_home.account, timezone.now()
    fund(account, FUND)
    use(account, predict_us=60_000_000)
    posting.post_usage()
    Hold.objects.create(subject="prediction/x", account=account, amount_nanos=7)
    limit = SpendLimit.objects.create(account=account, scope="account", period="month", limit_nanos=FUND)
    SpendCounter.objects.create(limit=limit, starts_at=now, spent_nanos=3)
    top_up = TopUp.objects.create(account=account, source=TopUp.Source.CHECKOUT, amount_cents=500)
    CardRefund.objects.create(top_up=top_up, amount_cents=100)
    Dispute.objects.create(stripe_id="dp_1", account=account, amount_cents=700, status="lost", opened_at=now)
    PaymentMethod.objects.create(
        stripe_id="pm_1", account=account, brand="visa", last4="4242", exp_month=1, exp_year=30
    )
    StripeCall.objects.create(key="topup:1:1", operation="create", params={"secret": SECRET})
    StripeEvent.objects.create(id="evt_1", type="x", created=now, livemode=False, payload={"secret": SECRET})
    invoice = Invoice.objects.create(
        account=account, kind="monthly", number="INV-1", period="2026-10", first_seq=1, last_seq=1, total_cents=1604
    )
    InvoiceLine.objects.create(
        invoice=invoice, position=1, description="alice/echo on cpu", meter=Meter.COMPUTE_TIME, quantity=90_000_000,
        price=Price.objects.filter(sku="cpu").get(), amount_nanos=16_040_000_000, amount_cents=1604,
    )  # fmt: skip
    PublisherAgreement.objects.create(owner=account, percent=20, effective_from=now)
    PublisherPayout.objects.create(owner=account, amount_nanos=FUND, reference="wire 7")
    FaultAppeal.objects.create(subject="prediction/x", account=account, note="not mine")
    RunReceipt.objects.get_or_create(
        subject="prediction/x",
        defaults={"account": account, "seq": 99, "document": "{}", "digest": "d", "key_id": "k", "signature": "s"},
    )
    RefundProposal.objects.create(
        criteria={}, reason="a bad disk", accounts=1, runs=1, amount_nanos=5, proposed_by=alice_at_home.user
    )
    DaySeal.objects.create(day="2026-01-01", txn_count=1, entry_count=2, debit_nanos=10**25, previous="p", digest="d")
    return BillingAccount.objects.get(account=account)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kinds_list_and_detail_render_with_few_queries_and_without_secrets(
    everything: BillingAccount, olga: Person, django_assert_max_num_queries: Any, kind: Any
) -> None:
    row = kind.objects.first()
    for path in (f"{list_of(kind)}?q=alice", list_of(kind), page_of(row)):
        with django_assert_max_num_queries(12):
            page = olga.get(path)
        assert page.status_code == 200, path
        assert SECRET not in page.content.decode()


def test_nothing_is_added_changed_or_deleted_by_forms(everything: BillingAccount, olga: Person) -> None:
    for kind in KINDS:
        row = kind.objects.first()
        before = kind.objects.values().get(pk=row.pk)
        assert olga.post(page_of(row, "delete"), {"post": "yes"}).status_code == 403, kind
        assert olga.get(list_of(kind) + "add/").status_code == 403, kind
        olga.post(page_of(row), {"reason": "x"})
        assert kind.objects.values().get(pk=row.pk) == before, kind


def test_it_is_closed_to_everybody_else(everything: BillingAccount, alice_at_home: Person, visitor: Client) -> None:
    for browser in (alice_at_home.browser, visitor):
        for kind in KINDS:
            assert browser.get(list_of(kind)).status_code == 302, kind
            assert browser.get(page_of(kind.objects.first())).status_code == 302, kind


def test_an_accounts_page_has_its_credit_holds_limits_and_ledger(everything: BillingAccount, olga: Person) -> None:
    page = olga.get(page_of(everything)).content.decode()
    for shown in ("a trial", "prediction/x", "$10.00", "Free credit", "Usage", "−$0.001500"):
        assert shown in page, shown


def test_the_running_balance_is_the_ledgers_at_every_entry(alice_at_home: Person) -> None:
    account = alice_at_home.account
    for _ in range(3):
        fund(account, FUND)
        use(account, predict_us=60_000_000)
        posting.post_usage()
    found = movements(account.pk, limit=10)
    used = 1_500_000
    assert [movement.after_nanos for movement in found] == [
        3 * FUND - 3 * used, 3 * FUND - 2 * used, 2 * FUND - 2 * used, 2 * FUND - used, FUND - used, FUND,
    ]  # fmt: skip
    assert movements(account.pk, limit=2) == found[:2]


def test_a_posting_shows_its_entries(everything: BillingAccount, olga: Person) -> None:
    page = olga.get(page_of(LedgerTxn.objects.get(kind="usage"))).content.decode()
    for shown in (f"promo:{everything.pk}", "revenue", "$0.001500"):
        assert shown in page, shown


def test_an_invoice_shows_its_lines(everything: BillingAccount, olga: Person) -> None:
    page = olga.get(page_of(Invoice.objects.get())).content.decode()
    for shown in ("alice/echo on cpu", "1 min 30 s", "$0.0001 per second", "$16.04"):
        assert shown in page, shown


@pytest.mark.parametrize(
    ("action", "form", "column", "recorded"),
    [
        ("mode", {"mode": "postpaid", "credit_limit": "250"}, "mode", "change_billing_mode"),
        ("status", {"status": "suspended"}, "status", "change_billing_status"),
    ],
)
def test_how_an_account_pays_is_changed_with_a_reason(
    everything: BillingAccount, olga: Person, action: str, form: dict[str, str], column: str, recorded: str
) -> None:
    path = f"{list_of(BillingAccount)}{everything.pk}/{action}/"
    assert olga.get(path).status_code == 200
    assert olga.post(path, {**form, "reason": " "}).status_code == 422
    assert not AuditEntry.objects.filter(action=recorded).exists()
    assert olga.post(path, {**form, "reason": "as agreed"}).status_code == 302
    everything.refresh_from_db()
    assert getattr(everything, column) == form[column]
    entry = AuditEntry.objects.get(action=recorded)
    assert (entry.actor, entry.subject, entry.reason) == (olga.user, "account/alice", "as agreed")


@pytest.mark.parametrize(
    ("action", "form", "said"),
    [
        ("mode", {"mode": "postpaid"}, "A postpaid account has one"),
        ("mode", {"mode": "prepaid", "credit_limit": "5"}, "no other has"),
        ("status", {"status": "active"}, "is active already"),
        ("status", {"status": "rich"}, "not one of the available choices"),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(
    everything: BillingAccount, olga: Person, action: str, form: dict[str, str], said: str
) -> None:
    answer = olga.post(f"{list_of(BillingAccount)}{everything.pk}/{action}/", {**form, "reason": "x"})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert BillingAccount.objects.values().get() == BillingAccount.objects.values().get(pk=everything.pk)
    assert not AuditEntry.objects.filter(action__startswith="change_billing").exists()


def test_a_dead_event_is_replayed_with_a_reason_and_others_are_not(everything: BillingAccount, olga: Person) -> None:
    event = StripeEvent.objects.get()
    path = f"{list_of(StripeEvent)}{event.pk}/replay/"
    assert "is not dead" in olga.post(path, {"reason": "x"}).content.decode()
    StripeEvent.objects.update(state=StripeEvent.State.DEAD, tries=10)
    assert olga.post(path, {"reason": "the host was down"}).status_code == 302
    event.refresh_from_db()
    assert (event.state, event.tries) == (StripeEvent.State.RECEIVED, 0)
    assert AuditEntry.objects.get(action="replay_stripe_event").reason == "the host was down"


def _incident(**changed: str) -> dict[str, str]:
    return {
        "since_0": "2026-11-10", "since_1": "00:00:00", "until_0": "2026-11-11", "until_1": "00:00:00",
        "model_name": "alice/echo", "version_id": "", "hardware": "", "reason": "a bad disk", **changed,
    }  # fmt: skip


def test_an_incident_is_previewed_and_then_refunded_with_its_reason(alice_at_home: Person, olga: Person) -> None:
    fund(alice_at_home.account, FUND)
    use(alice_at_home.account, predict_us=60_000_000)
    use(alice_at_home.account, predict_us=60_000_000, model_name="alice/other")
    posting.post_usage()
    path = f"{list_of(RefundProposal)}incident/"
    assert olga.get(path).status_code == 200
    preview = olga.post(path, _incident(preview="yes")).content.decode()
    assert "1 run of 1 account, $0.001500 in all." in preview
    assert not RefundProposal.objects.exists()
    olga.post(path, _incident(propose="yes"))
    proposal = RefundProposal.objects.get()
    assert (proposal.runs, proposal.amount_nanos, proposal.reason) == (1, 1_500_000, "a bad disk")
    assert AuditEntry.objects.filter(action="propose_refund", reason="a bad disk").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"reason": " "}, "Say why"), ({"until_0": "2026-11-09"}, "later than since"), ({"since_0": "x"}, "valid date")],
)
def test_an_incident_that_makes_no_sense_is_refused(olga: Person, changed: dict[str, str], said: str) -> None:
    answer = olga.post(f"{list_of(RefundProposal)}incident/", _incident(propose="yes", **changed))
    assert answer.status_code == 422
    assert said in answer.content.decode()


def test_a_large_refund_is_confirmed_by_somebody_else(everything: BillingAccount, olga: Person) -> None:
    proposal = RefundProposal.objects.get()
    path = f"{list_of(RefundProposal)}{proposal.pk}/confirm/"
    RefundProposal.objects.update(proposed_by=olga.user)
    assert "somebody else confirms" in olga.post(path, {"reason": "x"}).content.decode()
    RefundProposal.objects.update(proposed_by=None)
    assert olga.post(path, {"reason": "x"}).status_code == 302
    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by) == (RefundProposal.State.CONFIRMED, olga.user)


@pytest.mark.parametrize(
    ("action", "state", "recorded"),
    [
        ("pay", Invoice.State.PAID, "pay_invoice"),
        ("void", Invoice.State.VOID, "void_invoice"),
        ("write-off", Invoice.State.UNCOLLECTIBLE, "write_off_invoice"),
    ],
)
def test_an_unpaid_invoice_is_ended_by_hand_with_a_reason(
    alice_at_home: Person, olga: Person, action: str, state: str, recorded: str
) -> None:
    invoice = _issued(alice_at_home)
    path = f"{list_of(Invoice)}{invoice.pk}/{action}/"
    assert olga.post(path, {"reason": " "}).status_code == 422
    assert olga.post(path, {"reason": "wire 7"}).status_code == 302
    invoice.refresh_from_db()
    assert invoice.state == state
    assert AuditEntry.objects.get(action=recorded).reason == "wire 7"
    assert f"{path}" not in olga.get(page_of(invoice)).content.decode()


def test_a_part_of_a_paid_invoice_is_credited(alice_at_home: Person, olga: Person) -> None:
    invoice = _issued(alice_at_home)
    path = f"{list_of(Invoice)}{invoice.pk}"
    olga.post(f"{path}/pay/", {"reason": "wire 7"})
    assert olga.post(f"{path}/credit/", {"amount": "999999", "reason": "x"}).status_code == 422
    assert olga.post(f"{path}/credit/", {"amount": "0.50", "reason": "a bad disk"}).status_code == 302
    assert AuditEntry.objects.get(action="credit_invoice").details["amount"] == "$0.50"


def _issued(person: Person) -> Invoice:
    """An unpaid invoice of a postpaid account."""
    account = person.account
    BillingAccount.objects.create(account=account, mode=BillingAccount.Mode.POSTPAID, credit_limit_nanos=FUND)
    use(account, predict_us=1_000_000_000_000, hardware="cpu-small")
    posting.post_usage()
    invoice = invoices.close_period(account.pk, "2026-11")
    assert invoice
    assert invoice.state == Invoice.State.OPEN
    return invoice


def test_a_charge_is_refunded_once_with_its_reason(alice_at_home: Person, olga: Person) -> None:
    fund(alice_at_home.account, FUND)
    use(alice_at_home.account)
    record = UsageRecord.objects.get()
    path = f"{list_of(UsageRecord)}{record.pk}/refund/"
    assert path in olga.get(page_of(record)).content.decode()
    olga.post(path, {"reason": "a bad disk"})
    assert UsageRecord.objects.get(corrects=record).reason == "a bad disk"
    assert path not in olga.get(page_of(record)).content.decode()
