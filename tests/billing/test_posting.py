"""Usage is posted once: from credit in its order, or on the bill; with its roll-up."""

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import Sum

from billing import accounts, credit, holds, ledger, posting, spending
from billing.holds import HoldRequest
from billing.models import (
    BillingAccount,
    BucketConsumption,
    CreditBucket,
    Hold,
    LedgerTxn,
    Meter,
    RunReceipt,
    UsagePosting,
    UsageRecord,
    UsageRollup,
)
from tests.accounts.factories import AccountFactory
from tests.billing.factories import NOON, buy, fund, use
from tests.plugins.api_client import empty_tables

SECOND = 25_000  # nanos of a second on cpu-small
HOUR = datetime.timedelta(hours=1)


def wallet(account):
    return -ledger.balance(f"wallet:{account.pk}")


def promo(account):
    return -ledger.balance(f"promo:{account.pk}")


def in_threads(work: Callable[[], int], count: int) -> list[int]:
    """What each thread's work, on a connection of its own, returns."""

    def one(_: int) -> int:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_usage_is_taken_from_free_credit_first_then_from_paid_then_overruns(alice):
    fund(alice, SECOND)
    bucket = buy(alice, 2 * SECOND)
    use(alice, 4_000_000)
    assert posting.post_usage() == 1
    one = UsagePosting.objects.get()
    assert (one.seq, one.amount_nanos, one.promo_nanos, one.wallet_nanos) == (1, 4 * SECOND, SECOND, 3 * SECOND)
    assert (promo(alice), wallet(alice), ledger.balance("revenue")) == (0, -SECOND, -4 * SECOND)
    assert RunReceipt.objects.get().subject == UsageRecord.objects.get().subject
    used = list(BucketConsumption.objects.filter(txn=one.txn).order_by("pk").values_list("amount_nanos", flat=True))
    assert used == [SECOND, 2 * SECOND]
    bucket.refresh_from_db()
    assert (bucket.remaining_nanos, credit.overrun(alice.pk)) == (0, SECOND)
    assert BillingAccount.objects.get(pk=alice.pk).spendable_nanos == -SECOND


def test_a_postpaid_account_uses_its_credit_and_owes_the_rest(alice):
    fund(alice, SECOND)
    BillingAccount.objects.update(mode=BillingAccount.Mode.POSTPAID)
    use(alice, 3_000_000)
    posting.post_usage(account_id=alice.pk)
    one = UsagePosting.objects.get()
    assert (one.promo_nanos, one.wallet_nanos, one.unbilled_nanos) == (SECOND, 0, 2 * SECOND)
    assert ledger.balance(f"unbilled:{alice.pk}") == BillingAccount.objects.get(pk=alice.pk).owed_nanos == 2 * SECOND


def test_an_internal_account_costs_the_platform(alice):
    use(alice)
    posting.post_usage()
    assert UsagePosting.objects.get().internal_nanos == ledger.balance("internal_usage") == SECOND
    assert BillingAccount.objects.get(pk=alice.pk).spendable_nanos == 0


def test_inv_14_platform_faults_are_posted_without_a_ledger_transaction(alice):
    use(alice, 0, fault_class="platform")
    assert posting.post_usage() == 1
    assert UsagePosting.objects.get().txn is None
    assert not LedgerTxn.objects.exists()
    assert UsageRollup.objects.get().runs == 1


def test_a_backlog_is_posted_in_batches_with_a_gapless_sequence(alice, stranger):
    for _ in range(5):
        use(alice)
    use(stranger)
    assert posting.post_usage(limit=2) == 6
    assert posting.post_usage(limit=2) == 0
    assert list(UsagePosting.objects.filter(account=alice).order_by("pk").values_list("seq", flat=True)) == [1, 2, 3]
    assert not UsageRecord.objects.filter(posting=None).exists()
    assert LedgerTxn.objects.filter(kind="usage").count() == 4


def test_a_sweep_leaves_it_to_the_one_that_is_at_it(alice):
    use(alice)
    assert posting.sweep() == 1
    use(alice)
    with posting._only_one() as is_mine:
        assert is_mine
        assert in_threads(posting.sweep, 1) == [0]
    assert posting.sweep() == 1


def test_an_account_whose_usage_can_not_be_posted_holds_up_nobody(alice, stranger, monkeypatch):
    use(alice)
    use(stranger)
    lock = accounts.lock

    def failing(account_id):
        assert account_id != alice.pk
        return lock(account_id)

    monkeypatch.setattr("billing.posting.accounts.lock", failing)
    assert posting.sweep() == 1
    assert list(UsageRecord.objects.filter(posting=None).values_list("account", flat=True)) == [alice.pk]


def test_the_roll_up_sums_by_day_of_use_whenever_it_is_posted(alice):
    token = 7
    for number in range(4):
        use(alice, 1_000_000, token_id=token if number % 2 else None)
    posting.post_usage(limit=3)
    use(alice, 2_000_000, occurred_at=NOON - datetime.timedelta(days=1), token_id=token)
    use(alice, 2_000_000, token_id=token)
    posting.post_usage()
    rows = UsageRollup.objects.order_by("day", "token_id").values_list(
        "day", "token_id", "meter", "runs", "quantity", "gross_nanos", "amount_nanos"
    )
    today = NOON.date()
    assert list(rows) == [
        (today - datetime.timedelta(days=1), token, Meter.COMPUTE_TIME, 1, 2_000_000, 2 * SECOND, 2 * SECOND),
        (today, token, Meter.COMPUTE_TIME, 3, 4_000_000, 4 * SECOND, 4 * SECOND),
        (today, None, Meter.COMPUTE_TIME, 2, 2_000_000, 2 * SECOND, 2 * SECOND),
    ]


def test_inv_05_an_overrun_is_taken_from_the_next_payment_first(alice):
    fund(alice, 0)
    use(alice, 2_000_000)
    posting.post_usage()
    bucket = buy(alice, 10 * SECOND)
    assert (bucket.granted_nanos, bucket.remaining_nanos, wallet(alice)) == (10 * SECOND, 8 * SECOND, 8 * SECOND)
    assert BucketConsumption.objects.get(bucket=bucket).amount_nanos == 2 * SECOND
    assert credit.overrun(alice.pk) == 0


def test_a_payment_smaller_than_the_overrun_leaves_nothing(alice):
    fund(alice, 0)
    use(alice, 3_000_000)
    posting.post_usage()
    assert buy(alice, SECOND).remaining_nanos == 0
    assert (wallet(alice), credit.overrun(alice.pk)) == (-2 * SECOND, 2 * SECOND)


def test_pending_usage_is_posted_in_the_callers_transaction(alice):
    for _ in range(3):
        use(alice)
    with transaction.atomic():
        payer = accounts.lock(alice.pk)
        assert posting.post_pending(payer, limit=2) == 3
        transaction.set_rollback(True)
    assert UsageRecord.objects.filter(posting=None).count() == 3
    assert posting.post_usage() == 3


def test_inv_09_a_posted_record_never_changes(alice):
    use(alice)
    posting.post_usage()
    other = UsagePosting.objects.create(account=alice, seq=9, amount_nanos=0)
    for change in ({"posting": None}, {"posting": other}, {"amount_nanos": 1}):
        with pytest.raises(Exception, match="append-only"), transaction.atomic():
            UsageRecord.objects.update(**change)


def test_inv_16_usage_posted_is_revenue(alice, stranger):
    fund(alice, SECOND)
    for number in range(7):
        use(alice, 333_333 * number)
        use(stranger, 777_777 * number)
    posting.post_usage(limit=3)
    total = UsageRecord.objects.aggregate(total=Sum("amount_nanos"))["total"]
    assert ledger.balance("revenue") == -total
    assert UsagePosting.objects.aggregate(total=Sum("amount_nanos"))["total"] == total


def test_inv_24_credit_is_used_by_priority_then_expiry_then_age(alice):
    fund(alice, 0)
    soon, late = NOON + datetime.timedelta(days=400), NOON + datetime.timedelta(days=800)
    buy(alice, SECOND, key="paid")
    for source, kind, expires_at in [
        ("goodwill", "goodwill", soon),
        ("promo never", "promo", None),
        ("promo late", "promo", late),
        ("promo soon", "promo", soon),
    ]:
        credit.grant(alice, amount_nanos=SECOND, source=source, kind=CreditBucket.Kind(kind), expires_at=expires_at)
    for _ in range(5):
        use(alice)
        posting.post_usage()
    used = BucketConsumption.objects.order_by("pk").values_list("bucket__source", flat=True)
    assert list(used) == ["promo soon", "promo late", "promo never", "goodwill", "paid"]


def test_f06_three_posters_on_one_backlog_post_each_record_once(alice, stranger):
    people = [alice, stranger, *AccountFactory.create_batch(4)]
    for person in people[:3]:
        fund(person, 10 * SECOND)
    for number in range(120):
        use(people[number % len(people)], 1_000_000 + number)
    assert sum(in_threads(lambda: posting.post_usage(limit=7), 3)) == 120
    total = UsageRecord.objects.exclude(posting=None).aggregate(total=Sum("amount_nanos"))["total"]
    assert -ledger.balance("revenue") == total == sum(25_000 + round(number / 40) for number in range(120))
    for person in people:
        seqs = UsagePosting.objects.filter(account=person).order_by("seq").values_list("seq", flat=True)
        assert list(seqs) == list(range(1, len(seqs) + 1))


def test_f07_usage_told_three_times_is_recorded_and_posted_once(alice):
    ids = [use(alice, 1_000_000) for _ in range(5)]
    for prediction_id in [*reversed(ids), *ids]:
        use(alice, 1_000_000, prediction_id=prediction_id)
    posting.post_usage()
    assert -ledger.balance("revenue") == 5 * SECOND


@pytest.mark.parametrize("is_posted", [False, True])
def test_f08_a_run_told_again_with_another_time_stays_as_it_was_told_first(alice, is_posted):
    run = use(alice)
    if is_posted:
        posting.post_usage()
    use(alice, 9_000_000, prediction_id=run)
    assert posting.post_usage() == (0 if is_posted else 1)
    assert -ledger.balance("revenue") == UsageRecord.objects.get().amount_nanos == SECOND


def test_f49_many_tiny_runs_sum_to_count_times_the_rounded_line(alice):
    for _ in range(300):
        use(alice, 60)
    posting.post_usage()
    assert UsagePosting.objects.get().amount_nanos == 300 * 2
    assert UsageRollup.objects.get().amount_nanos == -ledger.balance("revenue") == 600


def test_a_posting_settles_the_holds_of_its_runs(alice):
    fund(alice, 10 * SECOND)
    run = use(alice)
    spending.forget()
    with transaction.atomic():
        assert holds.place_many([HoldRequest(f"prediction/{run}", alice.pk, 3 * SECOND)]) == {}
    posting.post_usage()
    payer = BillingAccount.objects.get()
    assert (payer.held_nanos, payer.available_nanos) == (0, 9 * SECOND)
    assert Hold.objects.get().state == Hold.State.SETTLED


@pytest.mark.parametrize(("threshold", "woken"), [(9 * SECOND, True), (8 * SECOND, False)])
def test_credit_that_ran_low_wakes_who_buys_more(alice, threshold, woken, monkeypatch):
    fund(alice, 10 * SECOND)
    BillingAccount.objects.update(reload_enabled=True, reload_threshold_nanos=threshold)
    sent: list[object] = []
    monkeypatch.setattr("billing.posting.current_app.send_task", lambda *args, **options: sent.append((args, options)))
    use(alice)
    posting.post_usage()
    assert sent == ([(("billing.tasks.reload_credit",), {"args": [alice.pk], "retry": False})] if woken else [])


def test_f43_a_connection_that_is_cut_before_the_commit_leaves_nothing_and_after_it_everything(alice, monkeypatch):
    fund(alice, 10 * SECOND)
    database: Any = connection
    for is_committed in (False, True):
        use(alice)

        def cut(commit=database._commit, is_committed=is_committed):
            if is_committed:
                commit()
            connection.close()
            raise OperationalError("server closed the connection unexpectedly")

        with monkeypatch.context() as patch, pytest.raises(OperationalError):
            patch.setattr(connection, "_commit", cut)
            posting.post_usage()
        assert UsageRecord.objects.filter(posting=None).count() == (0 if is_committed else 1)
        posting.post_usage()
    assert -ledger.balance("revenue") == 2 * SECOND
    assert CreditBucket.objects.get().remaining_nanos == 8 * SECOND


def test_f48_inv_25_a_month_told_again_into_an_empty_database_gives_the_same(alice):
    told = [
        {"predict_us": 777_777 * number, "prediction_id": f"run{number:02}", "occurred_at": NOON + number * HOUR}
        for number in range(20)
    ]

    def money(events, limit):
        fund(alice, 100 * SECOND)
        for event in events:
            use(alice, **event)
        posting.post_usage(limit=limit)
        columns = [
            c.attname for c in UsageRecord._meta.concrete_fields if c.name not in {"id", "posting", "created_at"}
        ]
        records = list(UsageRecord.objects.order_by("key").values(*columns))
        days = list(UsageRollup.objects.order_by("day").values("day", "runs", "quantity", "amount_nanos"))
        return records, days, ledger.balance("revenue"), promo(alice), CreditBucket.objects.get().remaining_nanos

    first = money(told, limit=500)
    empty_tables()
    alice.user.save(force_insert=True)
    alice.save(force_insert=True)
    assert money(sorted(told[::-1] + told[::2], key=str), limit=3) == first
