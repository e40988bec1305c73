"""What must be equal is compared; a planted difference is found, named and, for balances, repaired."""

import datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from billing import ledger, posting, reconciliation, refunds, seals
from billing.ledger import Entry
from billing.ledger_checks import rebuild_balances
from billing.models import CreditBucket, DaySeal, UsageRecord, UsageRollup
from tests.billing.factories import buy, fund, use

SECOND = 25_000
DAY = datetime.timedelta(days=1)
JOBS = ("ledger", "funds", "usage", "seals")


@pytest.fixture
def history(alice, stranger):
    """Free and bought credit, an overrun, a refund, usage of an internal account."""
    fund(alice, 2 * SECOND)
    buy(alice, 2 * SECOND)
    runs = [use(alice, 1_000_000 * number) for number in range(4)]
    use(stranger)
    posting.post_usage(limit=2)
    refunds.refund_usage(UsageRecord.objects.get(subject=f"prediction/{runs[2]}"), reason="bad")
    return alice


def plant(sql):
    """Change what the database protects."""
    connection.check_constraints()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET session_replication_role = DEFAULT")


def found():
    return {name: [one.subject for one in differences] for name, differences in reconciliation.run(JOBS).items()}


def test_an_honest_history_has_no_differences(history):
    assert found() == {name: [] for name in JOBS}


PLANTED = {
    "a balance": (
        "UPDATE billing_ledgerbalance SET posted_nanos = 1 WHERE code = 'promo_cost'",
        "ledger",
    ),
    "an entry of its own": (
        "INSERT INTO billing_ledgerentry (txn_id, code, amount_nanos) SELECT min(id), 'bank', 7 FROM billing_ledgertxn",
        "ledger",
    ),
    "a gap in the ledger": ("UPDATE billing_ledgerentry SET seq = 9 WHERE seq = 1", "ledger"),
    "spendable": ("UPDATE billing_billingaccount SET spendable_nanos = 1 + spendable_nanos", "funds"),
    "owed": ("UPDATE billing_billingaccount SET owed_nanos = 1", "funds"),
    "held": ("UPDATE billing_billingaccount SET held_nanos = 5", "funds"),
    "a record that is gone": ("DELETE FROM billing_usagerecord WHERE amount_nanos = 75000", "usage"),
    "a roll-up": ("UPDATE billing_usagerollup SET runs = runs + 1", "usage"),
    "a gap in postings": ("UPDATE billing_usageposting SET seq = 9 WHERE seq = 1", "usage"),
    "a charged platform fault": ("UPDATE billing_usagerecord SET fault_class = 'platform'", "usage"),
    "a posting without money": ("UPDATE billing_usageposting SET txn_id = NULL WHERE seq = 1", "usage"),
}


@pytest.mark.parametrize(("sql", "job"), PLANTED.values(), ids=PLANTED)
def test_a_planted_difference_is_found_by_its_job_alone(history, sql, job):
    plant(sql)
    assert [name for name, subjects in found().items() if subjects] == [job]


def test_a_bucket_that_does_not_agree_is_found_with_its_account(history):
    bucket = CreditBucket.objects.filter(kind="promo").get()
    CreditBucket.objects.filter(pk=bucket.pk).update(remaining_nanos=1)
    assert found()["funds"] == [f"account/{history.pk}", f"bucket/{bucket.pk}"]


def test_usage_that_is_not_posted_for_long_is_found(alice):
    use(alice)
    assert found()["usage"] == []
    plant("UPDATE billing_usagerecord SET created_at = now() - interval '11 minutes'")
    assert found()["usage"] == [f"account/{alice.pk}"]


def test_f46_a_corrupted_balance_is_found_and_a_rebuild_repairs_it(history, capsys):
    plant("UPDATE billing_ledgerbalance SET posted_nanos = posted_nanos * 3, entry_count = entry_count + 1")
    plant("UPDATE billing_billingaccount SET spendable_nanos = 7, owed_nanos = 7")
    with pytest.raises(CommandError, match="does not add up"):
        call_command("billing_check")
    assert "wallet:" in capsys.readouterr().out
    call_command("billing_check", "--fix-balances")
    assert "funds: no differences" in capsys.readouterr().out


def test_wrong_roll_ups_are_found_and_made_anew(history, capsys):
    plant("UPDATE billing_usagerollup SET amount_nanos = amount_nanos + 1, runs = 0")
    assert found()["usage"] != []
    call_command("billing_check", "--fix-rollups")
    assert "usage: no differences" in capsys.readouterr().out
    assert not UsageRollup.objects.filter(runs=0).exists()


def test_postings_go_on_after_a_rebuild(history):
    rebuild_balances()
    use(history)
    posting.post_usage()
    assert found() == {name: [] for name in JOBS}


def test_an_unknown_job_is_named(db):
    with pytest.raises(CommandError, match="no job stars"):
        call_command("billing_check", "stars")


def post_fee(key, effective_at):
    with transaction.atomic():
        return ledger.post(key, "psp_fee", [Entry("psp_fees", 5), Entry("psp_clearing", -5)], effective_at=effective_at)


def test_days_are_sealed_in_a_chain_once_they_are_over_for_six_hours(db):
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    post_fee("first", midnight - 3 * DAY)
    post_fee("last", midnight - 1.5 * DAY)
    assert seals.seal_days(midnight + datetime.timedelta(hours=5)) == 2
    assert seals.seal_days(midnight + datetime.timedelta(hours=6)) == 1
    assert seals.seal_days(midnight + datetime.timedelta(hours=7)) == 0
    rows = list(DaySeal.objects.order_by("day"))
    assert [(row.txn_count, row.entry_count, int(row.debit_nanos)) for row in rows] == [(1, 2, 5), (1, 2, 5), (0, 0, 0)]
    assert [row.previous for row in rows] == ["", rows[0].digest, rows[1].digest]
    with pytest.raises(ledger.PostingRefused, match="sealed"):
        post_fee("late", midnight - 2 * DAY)
    assert post_fee("first", midnight - 3 * DAY)[1] is False, "what is there is found, though its day is sealed"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE billing_ledgerentry SET amount_nanos = amount_nanos * 2",
        "UPDATE billing_ledgertxn SET effective_at = effective_at + interval '1 second'",
        "DELETE FROM billing_ledgerentry",
        "UPDATE billing_dayseal SET previous = 'another' WHERE day = (SELECT max(day) FROM billing_dayseal)",
    ],
)
def test_a_sealed_day_that_was_changed_is_found(db, sql):
    now = timezone.now()
    post_fee("one", now - 3 * DAY)
    seals.seal_days(now)
    assert found()["seals"] == []
    plant(sql)
    assert found()["seals"] != []
