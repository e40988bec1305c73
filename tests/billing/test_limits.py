"""Spend limits: what they count, whom they stop, when they tell.  Source: billing.md 8.3."""

import datetime

import pytest
from django.db import transaction
from django.utils import timezone

from billing import accounts, counters, holds, limit_warnings, limits, posting, trials
from billing.holds import HoldRequest
from billing.models import SpendCounter, SpendLimit, UsageRecord
from billing.periods import period_of
from marketplace.lib.ids import new_id
from marketplace.lib.problems import NotFound, ValidationFailed
from runner.models import LoggedEvent
from tests.billing.factories import fund, use

DOLLAR = 1_000_000_000
CENT = DOLLAR // 100


def place(account, amount=CENT, **members):
    """The 402, or None."""
    request = HoldRequest(f"prediction/{new_id()}", account.pk, amount, **members)
    return holds.place_many([request]).get(request.subject)


@pytest.mark.parametrize(
    ("scope", "key", "same", "other"),
    [
        ("token", "7", {"token_id": 7}, {"token_id": 8}),
        ("member", "7", {"user_id": 7}, {"user_id": None}),
        ("deployment", "alice/dep", {"deployment_name": "alice/dep"}, {"deployment_name": ""}),
    ],
)
def test_a_limit_counts_its_own_work_alone(alice, scope, key, same, other):
    limits.set_limit(alice.pk, scope=scope, scope_key=key, period="day", limit_nanos=CENT)
    assert place(alice, **other) is None
    assert place(alice, **same) is None
    refused = place(alice, **same)
    assert refused.body()["limit"] == {"scope": scope, "key": key, "period": "day", "value": "0.01", "used": "0.01"}
    assert place(alice, **other) is None


def test_the_tightest_of_all_that_apply_is_named(alice):
    for period, nanos in (("month", 9 * CENT), ("day", 3 * CENT), ("hour", 5 * CENT)):
        limits.set_limit(alice.pk, period=period, limit_nanos=nanos)
    refused = place(alice, 7 * CENT)
    assert (refused.body()["limit"]["period"], refused.body()["code"]) == ("day", "spend_limit_reached")


def test_a_limit_is_named_before_credit_that_would_not_help(alice):
    fund(alice, 0)
    limits.set_limit(alice.pk, period="hour", limit_nanos=0)
    assert place(alice).body()["code"] == "velocity_limit_reached"


def test_a_soft_limit_counts_and_refuses_nothing(alice):
    limits.set_limit(alice.pk, period="month", limit_nanos=CENT, is_hard=False)
    assert place(alice, 2 * CENT) is None
    assert limits.list_limits(alice.pk)[0].left_nanos == 0


def test_a_new_limit_starts_with_what_was_used_and_held_already(alice):
    fund(alice, DOLLAR)
    use(alice, occurred_at=timezone.now(), token_id=7)
    posting.post_usage(account_id=alice.pk)
    place(alice, token_id=7)
    place(alice, token_id=8)
    limits.set_limit(alice.pk, scope="token", scope_key="7", period="month", limit_nanos=DOLLAR)
    state = limits.list_limits(alice.pk)[0]
    assert (state.spent_nanos, state.held_nanos) == (25_000, CENT)


def test_work_that_runs_over_the_hour_is_held_in_both_and_spent_in_the_one_it_ended_in(alice):
    limit = limits.set_limit(alice.pk, period="hour", limit_nanos=DOLLAR)
    run = use(alice, occurred_at=timezone.now() + datetime.timedelta(hours=1))
    holds.place_many([HoldRequest(f"prediction/{run}", alice.pk, CENT)])
    with transaction.atomic():
        accounts.lock(alice.pk)
        counters.current(alice.pk, timezone.now() + datetime.timedelta(hours=1))
    rows = SpendCounter.objects.filter(limit=limit).order_by("starts_at")
    assert [row.held_nanos for row in rows] == [CENT, CENT]
    posting.post_usage(account_id=alice.pk)
    assert [(row.spent_nanos, row.held_nanos) for row in rows.all()] == [(0, 0), (25_000, 0)]


def test_inv_23_a_counter_is_the_sum_of_records_and_open_holds(alice):
    fund(alice, DOLLAR)
    limits.set_limit(alice.pk, period="month", limit_nanos=DOLLAR)
    for number in range(5):
        run = use(alice, number * 1_000_000, occurred_at=timezone.now())
        holds.place_many([HoldRequest(f"prediction/{run}", alice.pk, CENT)])
    use(alice, occurred_at=timezone.now())
    posting.post_usage(account_id=alice.pk)
    place(alice, 3 * CENT)
    state = limits.list_limits(alice.pk)[0]
    assert state.spent_nanos == sum(UsageRecord.objects.values_list("amount_nanos", flat=True))
    assert state.held_nanos == 3 * CENT


def test_a_removed_limit_stops_nobody_though_it_was_held_on(alice, stranger):
    limit = limits.set_limit(alice.pk, period="day", limit_nanos=CENT)
    subject = f"prediction/{new_id()}"
    holds.place_many([HoldRequest(subject, alice.pk, CENT)])
    with pytest.raises(NotFound):
        limits.remove_limit(stranger.pk, limit.pk)
    limits.remove_limit(alice.pk, limit.pk)
    assert place(alice, DOLLAR) is None
    assert holds.release(subject)


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"period": "week"}, "/period"),
        ({"scope": "planet", "scope_key": "x"}, "/scope"),
        ({"scope_key": "7"}, "/scope_key"),
        ({"scope": "token"}, "/scope_key"),
        ({"scope": "member", "scope_key": "bob"}, "/scope_key"),
        ({"limit_nanos": -1}, "/limit_nanos"),
    ],
)
def test_what_makes_no_limit_is_named(alice, members, named):
    with pytest.raises(ValidationFailed) as refused:
        limits.set_limit(alice.pk, **{"period": "day", "limit_nanos": 1, **members})
    assert [error.pointer for error in refused.value.errors] == [named]


def test_a_new_trial_account_comes_with_limits(alice):
    trials.open_trial(alice.pk)
    found = SpendLimit.objects.values_list("period", "limit_nanos", "is_hard").order_by("period")
    assert list(found) == [("hour", 20 * DOLLAR, True), ("month", 100 * DOLLAR, True)]


def test_each_step_is_told_once_a_period_by_mail_and_in_the_log(alice, mailoutbox):
    limits.set_limit(alice.pk, period="month", limit_nanos=10 * CENT)
    told = []
    for _ in range(10):
        place(alice)
        limit_warnings.tell_due(timezone.now())
        limit_warnings.tell_due(timezone.now())
        told.append(len(mailoutbox))
    assert told == [0, 0, 0, 0, 1, 1, 1, 2, 3, 4]
    events = LoggedEvent.objects.filter(type="billing.limit.threshold").order_by("id")
    assert [event.data["percent"] for event in events] == [50, 80, 90, 100]
    assert "100 % of a spend limit is used" in mailoutbox[-1].subject
    assert "New work is refused until then." in mailoutbox[-1].body


def test_the_largest_limit_keeps_no_other_from_being_told_of(alice, stranger, mailoutbox):
    limits.set_limit(stranger.pk, period="month", limit_nanos=10**18)  # a billion dollars
    place(stranger)
    limits.set_limit(alice.pk, period="month", limit_nanos=CENT)
    place(alice)
    limit_warnings.tell_due(timezone.now())
    assert len(mailoutbox) == 1


def test_steps_that_are_passed_at_once_are_told_of_together(alice, mailoutbox):
    limits.set_limit(alice.pk, period="hour", limit_nanos=CENT)
    place(alice)
    assert (limit_warnings.tell_due(timezone.now()), len(mailoutbox)) == (1, 1)


@pytest.mark.parametrize(
    ("period", "starts", "ends"),
    [
        ("hour", "2026-12-31T23:00", "2027-01-01T00:00"),
        ("day", "2026-12-31T00:00", "2027-01-01T00:00"),
        ("month", "2026-12-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_periods_are_of_the_calendar_in_utc(period, starts, ends):
    moment = datetime.datetime.fromisoformat("2027-01-01T01:30:00+02:00")
    found = period_of(period, moment)
    assert (f"{found.starts_at:%Y-%m-%dT%H:%M}", f"{found.ends_at:%Y-%m-%dT%H:%M}") == (starts, ends)
