"""Holds: one account's money is given out once, however many ask for it at a time.  Source: billing.md 8.1, 8.4."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from billing import accounts, holds, limits
from billing.holds import Extension, HoldRequest
from billing.models import BillingAccount, Hold, SpendCounter, UsagePosting, UsageRecord
from marketplace.lib.ids import new_id
from tests.billing.factories import NOON, fund, use

DOLLAR = 1_000_000_000
CENT = DOLLAR // 100


def ask(account, amount=CENT, **members):
    """A request for a new subject."""
    return HoldRequest(f"prediction/{new_id()}", account.pk, amount, **members)


def place(*requests):
    """What was refused."""
    with transaction.atomic():
        return holds.place_many(requests)


def held(account):
    """By the account's row; it must be what its open holds sum up to."""
    row = BillingAccount.objects.get(pk=account.pk)
    open_holds = Hold.objects.filter(account=account, state=Hold.State.OPEN)
    assert row.held_nanos == open_holds.aggregate(total=Sum("amount_nanos", default=0))["total"]
    return row.held_nanos


def counted(limit):
    """Spent and held by the limit's newest counter."""
    row = SpendCounter.objects.filter(limit=limit).latest("starts_at")
    return row.spent_nanos, row.held_nanos


def post(account):
    """Mark all its usage as posted, as a batch is, and settle what was held for it."""
    with transaction.atomic():
        payer = accounts.lock(account.pk)
        payer.posting_count += 1
        payer.save()
        unposted = UsageRecord.objects.filter(account=account, posting=None)
        amounts = dict(unposted.values_list("subject").annotate(total=Sum("amount_nanos")).order_by())
        posting = UsagePosting.objects.create(account=account, seq=payer.posting_count, amount_nanos=0)
        unposted.update(posting=posting)
        holds.settle_many(amounts)


def at_once(*calls):
    """Call all in threads of their own, started together, each with a connection of its own."""
    together = threading.Barrier(len(calls))

    def run(call):
        try:
            together.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_a_hold_leaves_less_for_the_next(alice):
    fund(alice, 3 * CENT)
    first, second = ask(alice, 2 * CENT), ask(alice, 2 * CENT)
    assert place(first) == {}
    refused = place(second)[second.subject]
    assert (refused.required_nanos, refused.available_nanos) == (2 * CENT, CENT)
    assert held(alice) == 2 * CENT


def test_holds_of_more_than_a_32_bit_integer_has_nanos(alice):
    fund(alice, 5000 * CENT)
    assert place(ask(alice, 4000 * CENT)) == {}
    assert place(ask(alice, 2000 * CENT))
    assert held(alice) == 4000 * CENT


def test_the_402_says_what_is_missing_and_what_lifts_it(alice, settings):
    fund(alice, 0)
    request = ask(alice, 8 * CENT)
    body = place(request)[request.subject].body()
    assert body.pop("detail").startswith("You have insufficient credit to run this model. Go to ")
    assert body == {
        "title": "Insufficient credit",
        "status": 402,
        "code": "insufficient_credit",
        "required": "0.08",
        "available": "0.00",
        "currency": "usd",
        "limit": None,
        "resets_at": None,
        "resolution": {"action": "add_credit", "url": "/account/billing"},
    }


def test_one_of_many_that_does_not_fit_keeps_nobody_else_out(alice, stranger):
    fund(alice, 3 * CENT)
    fund(stranger, CENT)
    big, other, small = ask(alice, 4 * CENT), ask(stranger), ask(alice, 3 * CENT)
    assert set(place(big, other, small)) == {big.subject}
    assert (held(alice), held(stranger)) == (3 * CENT, CENT)


def test_an_internal_account_without_limits_is_not_held_nor_looked_at(alice, django_assert_num_queries):
    request = ask(alice)
    assert place(request) == {}
    with django_assert_num_queries(0):
        assert holds.place_many([ask(alice)]) == {}
    assert not Hold.objects.exists()


def test_an_internal_account_is_held_against_its_limits_only(alice):
    limit = limits.set_limit(alice.pk, period="day", limit_nanos=2 * CENT)
    fits, refused = ask(alice, 2 * CENT), ask(alice, 1)
    assert set(place(fits, refused)) == {refused.subject}
    assert (held(alice), counted(limit)) == (2 * CENT, (0, 2 * CENT))


def test_what_costs_nothing_needs_credit_that_is_not_used_up(alice, stranger):
    fund(alice, CENT)
    fund(stranger, 0)
    all_of_it, free, refused = ask(alice), ask(alice, 0), ask(stranger, 0)
    assert set(place(all_of_it, free, refused)) == {refused.subject}
    assert not Hold.objects.filter(subject=free.subject).exists()


@pytest.mark.parametrize(
    ("mode", "status", "code"),
    [
        ("trial", "active", "trial_exhausted"),
        ("prepaid", "restricted", "payment_failed"),
        ("prepaid", "suspended", "account_suspended"),
        ("internal", "suspended", "account_suspended"),
        ("postpaid", "closed", "account_suspended"),
    ],
)
def test_the_code_says_why(alice, mode, status, code):
    BillingAccount.objects.create(account=alice, mode=mode, status=status, credit_limit_nanos=DOLLAR)
    request = ask(alice)
    assert place(request)[request.subject].body()["code"] == code


def test_a_postpaid_account_may_owe_up_to_its_line_unless_it_is_restricted(alice):
    BillingAccount.objects.create(
        account=alice, mode="postpaid", credit_limit_nanos=5 * CENT, owed_nanos=3 * CENT, spendable_nanos=CENT
    )
    fits, beyond = ask(alice, 3 * CENT), ask(alice, 1)
    assert set(place(fits, beyond)) == {beyond.subject}
    holds.release(fits.subject)
    BillingAccount.objects.filter(pk=alice.pk).update(status="restricted")
    from_credit, beyond = ask(alice, CENT), ask(alice, 1)
    assert set(place(from_credit, beyond)) == {beyond.subject}


def test_a_trial_holds_the_worst_case_as_far_as_its_credit_pays(alice):
    fund(alice, 5 * CENT)
    BillingAccount.objects.filter(pk=alice.pk).update(mode="trial")
    place(ask(alice, CENT, most_nanos=2 * CENT))
    assert held(alice) == 2 * CENT
    place(ask(alice, CENT, most_nanos=9 * CENT))
    assert held(alice) == 5 * CENT


def test_settling_frees_what_was_held_and_counts_what_was_spent(alice):
    fund(alice, DOLLAR)
    limit = limits.set_limit(alice.pk, period="month", limit_nanos=DOLLAR)
    run = use(alice, 1_000_000, occurred_at=timezone.now())
    place(HoldRequest(f"prediction/{run}", alice.pk, 4 * CENT))
    assert counted(limit) == (0, 4 * CENT)
    post(alice)
    assert (held(alice), counted(limit)) == (0, (25_000, 0))
    assert Hold.objects.get().state == Hold.State.SETTLED


def test_usage_without_a_hold_counts_too(alice):
    limit = limits.set_limit(alice.pk, period="month", limit_nanos=DOLLAR)
    use(alice, 1_000_000, occurred_at=timezone.now())
    post(alice)
    assert counted(limit) == (25_000, 0)


def test_a_hold_is_resolved_once(alice):
    fund(alice, DOLLAR)
    request = ask(alice)
    place(request)
    assert holds.release(request.subject)
    assert not holds.release(request.subject)
    with transaction.atomic():
        accounts.lock(alice.pk)
        holds.settle_many({request.subject: CENT})
    assert (held(alice), Hold.objects.get().state) == (0, Hold.State.RELEASED)


def test_an_instances_hold_shrinks_and_stays(alice):
    fund(alice, DOLLAR)
    place(HoldRequest("instance/i", alice.pk, 10 * CENT))
    with transaction.atomic():
        accounts.lock(alice.pk)
        holds.settle_many({"instance/i": CENT})
    assert held(alice) == 9 * CENT
    holds.release("instance/i")
    assert held(alice) == 0


@pytest.mark.parametrize(
    ("mode", "overdraft", "given"), [("trial", CENT, 2 * CENT), ("prepaid", CENT, 3 * CENT), ("internal", 0, 9 * CENT)]
)
def test_an_extension_takes_what_there_is(alice, mode, overdraft, given):
    fund(alice, 3 * CENT)
    limits.set_limit(alice.pk, period="day", limit_nanos=DOLLAR)
    BillingAccount.objects.filter(pk=alice.pk).update(mode=mode, overdraft_nanos=overdraft)
    request = ask(alice)
    place(request)
    wanted = {request.subject: 9 * CENT, "prediction/unknown": CENT}
    assert holds.extend(alice.pk, wanted) == {request.subject: Extension(given)}
    assert held(alice) == CENT + given


def test_limits_stop_what_runs_only_for_who_wants_that(alice):
    limits.set_limit(alice.pk, period="day", limit_nanos=2 * CENT)
    request = ask(alice)
    place(request)
    assert holds.extend(alice.pk, {request.subject: 3 * CENT}) == {request.subject: Extension(3 * CENT)}
    BillingAccount.objects.filter(pk=alice.pk).update(stops_at_limit=True)
    assert holds.extend(alice.pk, {request.subject: CENT}) == {request.subject: Extension(0, by_limit=True)}


def test_f13_of_200_at_once_exactly_the_10_that_the_credit_pays_are_admitted(alice):
    fund(alice, 10 * CENT)
    asked = [[ask(alice) for _ in range(10)] for _ in range(20)]
    refused = at_once(*[lambda requests=requests: place(*requests) for requests in asked])
    assert sum(map(len, refused)) == 190
    assert (Hold.objects.count(), held(alice)) == (10, 10 * CENT)


def test_f13_500_at_once_against_three_budgets_of_a_dollar_use_all_of_it_and_no_more(alice):
    """Amounts differ, so that a dollar is not a whole number of them; whoever fits what is left must be let in."""
    fund(alice, 100 * DOLLAR)
    for scope, key in (("account", ""), ("token", "7"), ("member", "9")):
        limits.set_limit(alice.pk, scope=scope, scope_key=key, period="month", limit_nanos=DOLLAR)
    amounts = [(number % 7 + 1) * CENT // 2 for number in range(500)]
    asked = [ask(alice, amount, token_id=7, user_id=9) for amount in amounts]
    results = at_once(*[lambda part=asked[i::10]: place(*part) for i in range(10)])
    refused = {subject: problem for result in results for subject, problem in result.items()}
    assert DOLLAR - min(amounts) < held(alice) <= DOLLAR
    assert all(problem.available_nanos < problem.required_nanos for problem in refused.values())
    assert len(refused) + Hold.objects.count() == 500
    assert set(SpendCounter.objects.values_list("held_nanos", flat=True)) == {held(alice)}


def test_f42_holds_of_a_closed_account_settle(alice):
    fund(alice, DOLLAR)
    run = use(alice, 1_000_000, occurred_at=NOON)
    place(HoldRequest(f"prediction/{run}", alice.pk, CENT))
    BillingAccount.objects.filter(pk=alice.pk).update(status="closed", stripe_customer_id=None)
    post(alice)
    assert held(alice) == 0


def test_inv_06_held_is_the_sum_of_open_holds_whatever_happens(alice):
    fund(alice, DOLLAR)
    limit = limits.set_limit(alice.pk, period="month", limit_nanos=DOLLAR)
    asked = [ask(alice, number * CENT) for number in range(1, 6)]
    place(*asked)
    holds.extend(alice.pk, {asked[0].subject: CENT})
    holds.release(asked[1].subject)
    with transaction.atomic():
        accounts.lock(alice.pk)
        holds.settle_many({asked[2].subject: 0, asked[3].subject: 40 * CENT})
    assert held(alice) == (2 + 5) * CENT
    assert counted(limit) == (0, 7 * CENT)


def test_inv_07_nothing_is_admitted_beyond_what_is_there(alice):
    fund(alice, CENT)
    BillingAccount.objects.filter(pk=alice.pk).update(overdraft_nanos=DOLLAR)  # not for what is new
    request = ask(alice, CENT + 1)
    assert set(place(request)) == {request.subject}
    assert held(alice) == 0
