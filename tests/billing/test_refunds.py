"""A refund gives back what a run cost, at most once, along the path the money came."""

import datetime

import pytest
from django.db.models import F, Sum
from django.utils import timezone

from accounts.models import AuditEntry
from billing import credit, ledger, posting
from billing.models import (
    BillingAccount,
    BucketConsumption,
    CreditBucket,
    LedgerTxn,
    UsagePosting,
    UsageRecord,
    UsageRollup,
)
from billing.refunds import left_to_refund, refund_usage
from marketplace.lib.problems import Conflict, ValidationFailed
from tests.billing.factories import buy, fund, use

SECOND = 25_000  # nanos of a second on cpu-small


def refund(prediction_id, **options):
    record = UsageRecord.objects.get(subject=f"prediction/{prediction_id}", corrects=None)
    return refund_usage(record, reason="node-7 was bad", **options)


def rests(account):
    return dict(CreditBucket.objects.filter(account=account).values_list("source", "remaining_nanos"))


def funds(account):
    return BillingAccount.objects.get(pk=account.pk).spendable_nanos


def test_a_refund_is_a_record_a_posting_and_credit_where_it_came_from(alice):
    fund(alice, 5 * SECOND)
    run = use(alice, 2_000_000)
    posting.post_usage()
    correction = refund(run)
    assert correction.key == f"pred:{run}:compute_time:c1"
    assert (correction.quantity, correction.gross_nanos, correction.amount_nanos) == (-2_000_000, -50_000, -50_000)
    assert correction.reason == "node-7 was bad"
    assert (correction.posting.seq, correction.posting.amount_nanos, correction.posting.promo_nanos) == (
        2,
        -50_000,
        -50_000,
    )
    assert correction.posting.txn.key == f"refund:usage:{correction.key}"
    assert correction.posting.txn.corrects.kind == "usage"
    assert (funds(alice), ledger.balance("service_credits")) == (5 * SECOND, 50_000)
    assert CreditBucket.objects.get().remaining_nanos == 5 * SECOND
    day = UsageRollup.objects.get()
    assert (day.runs, day.quantity, day.gross_nanos, day.amount_nanos) == (1, 0, 0, 0)


def test_inv_20_a_run_is_refunded_once_and_never_above_its_charge(alice):
    fund(alice, 5 * SECOND)
    run = use(alice, 2_000_000)
    assert refund(run)
    assert refund(run) is None
    with pytest.raises(ValidationFailed, match=r"at most \$0\.00"):
        refund(run, amount_nanos=1)
    assert LedgerTxn.objects.filter(kind="usage_refund").count() == 1
    assert funds(alice) == 5 * SECOND


def test_parts_add_up_to_the_whole_in_money_and_in_quantity(alice):
    fund(alice, 5 * SECOND)
    run = use(alice, 1_000_001)
    for amount in (7, 10_000):
        refund(run, amount_nanos=amount)
    last = refund(run)
    assert last.key.endswith(":c3")
    sums = UsageRecord.objects.aggregate(quantity=Sum("quantity"), gross=Sum("gross_nanos"), net=Sum("amount_nanos"))
    assert sums == {"quantity": 0, "gross": 0, "net": 0}
    assert left_to_refund(UsageRecord.objects.get(corrects=None)) == 0


@pytest.mark.parametrize("amount", [0, -1, 25_001])
def test_a_part_is_something_of_what_is_left(alice, amount):
    run = use(alice)
    with pytest.raises(ValidationFailed):
        refund(run, amount_nanos=amount)


def test_a_correction_is_not_refunded(alice):
    with pytest.raises(Conflict):
        refund_usage(refund(use(alice)), reason="again")


def test_what_was_free_has_nothing_to_give_back(alice):
    assert refund(use(alice, 0)) is None


def test_inv_24_what_was_taken_last_goes_back_first(alice):
    fund(alice, 2 * SECOND)
    CreditBucket.objects.update(source="promo")
    buy(alice, 2 * SECOND, key="paid")
    runs = [use(alice) for _ in range(5)]
    posting.post_usage()
    assert (rests(alice), funds(alice)) == ({"promo": 0, "paid": 0}, -SECOND)
    expected = [
        ({"promo": 0, "paid": 0}, 0),  # the overrun
        ({"promo": 0, "paid": SECOND}, SECOND),
        ({"promo": 0, "paid": 2 * SECOND}, 2 * SECOND),
        ({"promo": SECOND, "paid": 2 * SECOND}, 3 * SECOND),
        ({"promo": 2 * SECOND, "paid": 2 * SECOND}, 4 * SECOND),
    ]
    for run, (buckets, spendable) in zip(reversed(runs), expected, strict=True):
        refund(run)
        assert (rests(alice), funds(alice)) == (buckets, spendable)
    net = BucketConsumption.objects.values("bucket").annotate(total=Sum("amount_nanos"))
    assert [row["total"] for row in net] == [0, 0]


def test_credit_that_expired_comes_back_as_goodwill_for_thirty_days(alice):
    fund(alice, SECOND)
    run = use(alice)
    posting.post_usage()
    CreditBucket.objects.update(expires_at=timezone.now())
    refund(run)
    goodwill = CreditBucket.objects.get(kind="goodwill")
    assert goodwill.remaining_nanos == funds(alice) == SECOND
    assert goodwill.expires_at
    assert 29 < (goodwill.expires_at - timezone.now()) / datetime.timedelta(days=1) <= 30
    assert CreditBucket.objects.get(kind="promo").remaining_nanos == 0


def test_an_overrun_that_a_payment_has_covered_comes_back_as_bought_credit(alice):
    fund(alice, 0)
    run = use(alice, 2_000_000)
    posting.post_usage()
    buy(alice, 3 * SECOND, key="paid")
    correction = refund(run)
    assert rests(alice) == {"paid": SECOND, f"refund:{correction.key}:paid": 2 * SECOND}
    assert (funds(alice), credit.overrun(alice.pk)) == (3 * SECOND, 0)


def test_a_refund_covers_an_overrun_of_now_first(alice):
    fund(alice, 0)
    buy(alice, 2 * SECOND, key="paid")
    first = use(alice, 2_000_000)
    posting.post_usage()
    use(alice)
    posting.post_usage()
    refund(first)
    assert (rests(alice), funds(alice), credit.overrun(alice.pk)) == ({"paid": SECOND}, SECOND, 0)


@pytest.mark.parametrize(("mode", "code"), [("postpaid", "unbilled:{}"), ("internal", "internal_usage")])
def test_what_was_owed_or_ours_goes_back_there_even_in_another_mode(alice, mode, code):
    fund(alice, 0)
    BillingAccount.objects.update(mode=mode)
    run = use(alice)
    posting.post_usage()
    BillingAccount.objects.update(mode="prepaid")
    refund(run)
    assert ledger.balance(code.format(alice.pk)) == 0
    assert (funds(alice), BillingAccount.objects.get().owed_nanos) == (0, 0)
    assert not UsagePosting.objects.exclude(
        amount_nanos=F("promo_nanos") + F("wallet_nanos") + F("unbilled_nanos") + F("internal_nanos")
    ).exists()


def test_an_operators_refund_is_audited(alice, olga):
    refund(use(alice), actor=olga.user)
    entry = AuditEntry.objects.get(action="refund_usage")
    assert (entry.actor, entry.reason, entry.details) == (olga.user, "node-7 was bad", {"amount": "$0.000025"})
