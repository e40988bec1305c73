"""The ledger: balanced, once per key, append-only, its balances those of its entries."""

import datetime

import pytest
from django.db import Error, connection, transaction
from django.db.models import Sum
from django.utils import timezone

from billing import accounts, ledger
from billing.ledger import Entry, PostingConflict, PostingRefused
from billing.models import BillingAccount, DaySeal, LedgerBalance, LedgerEntry, LedgerTxn

DOLLAR = 1_000_000_000


def top_up(account, nanos=DOLLAR, key="stripe:pi:1:paid"):
    accounts.billing_account(account.pk)
    with transaction.atomic():
        return ledger.post(key, "top_up", [Entry("psp_clearing", nanos), Entry(f"wallet:{account.pk}", -nanos)])


def test_a_posting_moves_balances_and_what_the_account_may_spend(alice):
    txn, is_new = top_up(alice)
    assert is_new
    assert sorted(txn.entries.values_list("code", "amount_nanos", "seq")) == [
        ("psp_clearing", DOLLAR, None),
        (f"wallet:{alice.pk}", -DOLLAR, 1),
    ]
    assert (ledger.balance("psp_clearing"), ledger.balance(f"wallet:{alice.pk}")) == (DOLLAR, -DOLLAR)
    assert BillingAccount.objects.get(pk=alice.pk).spendable_nanos == DOLLAR


def test_inv_03_the_same_key_again_changes_nothing_and_another_content_is_refused(alice):
    first, _ = top_up(alice)
    assert top_up(alice) == (first, False)
    with pytest.raises(PostingConflict):
        top_up(alice, 2 * DOLLAR)
    assert ledger.balance("psp_clearing") == DOLLAR
    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("kind", "entries"),
    [
        ("top_up", [("psp_clearing", 2), ("wallet", -1)]),
        ("top_up", [("psp_clearing", 0), ("wallet", 0)]),
        ("top_up", [("psp_clearing", -1), ("wallet", 1)]),
        ("top_up", [("bank", 1), ("wallet", -1)]),
        ("gift", [("psp_clearing", 1), ("wallet", -1)]),
    ],
)
def test_a_mistake_is_refused_even_where_it_balances(alice, kind, entries):
    accounts.billing_account(alice.pk)
    coded = [Entry(f"wallet:{alice.pk}" if code == "wallet" else code, amount) for code, amount in entries]
    with pytest.raises(PostingRefused), transaction.atomic():
        ledger.post("k", kind, coded)
    assert not LedgerTxn.objects.exists()


def test_a_reversal_takes_it_all_back_once(alice):
    with transaction.atomic():
        accounts.billing_account(alice.pk)
        sides = [Entry("psp_fees", 5), Entry("psp_clearing", -5)]
        txn, _ = ledger.post("fee", "psp_fee", sides)
        back, is_new = ledger.reverse(txn, kind="psp_fee")
        assert is_new and back.corrects == txn
        assert not ledger.reverse(txn, kind="psp_fee")[1]
    assert ledger.balance("psp_fees") == ledger.balance("psp_clearing") == 0


def test_a_sealed_day_takes_no_posting(alice):
    accounts.billing_account(alice.pk)
    today = timezone.now().date()
    DaySeal.objects.create(day=today, txn_count=0, entry_count=0, debit_nanos=0, previous="", digest="d")
    with pytest.raises(PostingRefused, match="sealed"):
        top_up(alice)
    with transaction.atomic():
        sides = [Entry("psp_fees", 5), Entry("psp_clearing", -5)]
        assert ledger.post("fee", "psp_fee", sides, effective_at=timezone.now() + datetime.timedelta(days=1))[1]


@pytest.mark.parametrize("table", [LedgerTxn, LedgerEntry], ids=lambda table: table.__name__)
def test_inv_02_f45_the_database_refuses_changes(alice, table):
    top_up(alice)
    for change in ("DELETE FROM {}", "UPDATE {} SET id = id"):
        with pytest.raises(Error, match="append-only"), connection.cursor() as cursor, transaction.atomic():
            cursor.execute(change.format(table._meta.db_table))


def test_inv_01_the_database_refuses_what_does_not_balance(alice):
    with pytest.raises(Error, match="does not balance"), transaction.atomic():
        txn = LedgerTxn.objects.create(key="k", kind="top_up", effective_at=timezone.now(), entries_hash="")
        LedgerEntry.objects.create(txn=txn, code="bank", amount_nanos=1)
        LedgerEntry.objects.create(txn=txn, code="psp_clearing", amount_nanos=-2)


def test_inv_04_balances_are_the_sums_of_entries(alice, stranger):
    for number in range(5):
        top_up(alice, number + 1, f"a{number}")
        top_up(stranger, 10 * number + 1, f"s{number}")
    for code, total in LedgerEntry.objects.values_list("code").annotate(total=Sum("amount_nanos")):
        assert ledger.balance(code) == total
    assert sum(LedgerBalance.objects.values_list("posted_nanos", flat=True)) == 0
    assert list(LedgerEntry.objects.filter(code=f"wallet:{alice.pk}").order_by("pk").values_list("seq", flat=True)) == [
        1,
        2,
        3,
        4,
        5,
    ]
