"""Runs are held for a little ahead of themselves, and stopped when that can't be paid.  Source: billing.md 8.1, F15."""

import datetime

import pytest
from django.db import transaction
from django.utils import timezone

from billing import accounts, holds, limits, posting, tasks
from billing.models import BillingAccount, Hold, UsageRecord
from runner import costs, credit_watch, hold_leaks
from runner.models import LoggedEvent, Prediction
from runner.states import Status
from tests.billing.factories import fund
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction, start

RATE = 25_000  # nanos a second on `cpu-small`


@pytest.fixture
def version(alice):
    costs.forget()
    return VersionFactory.create(model__account=alice, model__name="echo", model__hardware="cpu-small")


def running(version, *, for_seconds):
    """A run that has worked for so long."""
    prediction = make_prediction(version)
    start(prediction)
    since = timezone.now() - datetime.timedelta(seconds=for_seconds)
    Prediction.objects.filter(pk=prediction.pk).update(started_at=since, created_at=since)
    return prediction


def held(account):
    return BillingAccount.objects.get(pk=account.pk).held_nanos


def be(account, **columns):
    BillingAccount.objects.filter(pk=account.pk).update(**columns)


def test_what_runs_is_held_for_30_seconds_ahead(alice, version):
    fund(alice, 1000 * RATE)
    running(version, for_seconds=100)
    assert credit_watch.beat() == []
    assert 129 * RATE < held(alice) < 132 * RATE


def test_what_its_hold_still_covers_is_left_alone(alice, version):
    fund(alice, 30 * RATE)
    running(version, for_seconds=10)
    assert credit_watch.beat() == []
    assert held(alice) == 30 * RATE


def test_inv_28_f15_a_trial_is_stopped_before_its_credit_ends_and_never_owes(alice, version):
    fund(alice, 60 * RATE)
    be(alice, mode="trial", overdraft_nanos=1000 * RATE)
    prediction = running(version, for_seconds=50)
    assert credit_watch.beat() == [prediction.pk]
    prediction.refresh_from_db()
    assert (prediction.status, prediction.error) == (Status.CANCELED, credit_watch.NO_CREDIT)
    assert LoggedEvent.objects.get(type="prediction.canceled").data["cause"] == "no credit left"
    posting.post_usage(account_id=alice.pk)
    payer = BillingAccount.objects.get(pk=alice.pk)
    assert 0 <= payer.spendable_nanos < 11 * RATE
    assert payer.held_nanos == 0


def test_f15_a_prepaid_run_goes_on_into_the_overdraft_and_no_further(alice, version):
    fund(alice, 60 * RATE)
    be(alice, overdraft_nanos=100 * RATE)
    prediction = running(version, for_seconds=50)
    assert credit_watch.beat() == []
    later = timezone.now() + datetime.timedelta(seconds=80)
    assert credit_watch.beat(now=later) == []
    assert held(alice) == 160 * RATE
    assert credit_watch.beat(now=later + datetime.timedelta(seconds=20)) == [prediction.pk]


def test_f15_money_that_comes_in_time_lets_it_go_on(alice, version, monkeypatch):
    fund(alice, 40 * RATE)
    be(alice, reload_enabled=True, overdraft_nanos=30 * RATE)
    running(version, for_seconds=30)
    asked = []
    monkeypatch.setattr(tasks.reload_credit, "apply_async", lambda args, **_: asked.append(args))
    later = timezone.now() + datetime.timedelta(seconds=20)
    assert credit_watch.beat(now=later) == []
    assert asked == [(alice.pk,)]
    fund(alice, 1000 * RATE)
    assert credit_watch.beat(now=later + datetime.timedelta(seconds=60)) == []


def test_a_run_that_is_stopped_is_charged_up_to_its_stop(alice, version):
    fund(alice, 30 * RATE)
    running(version, for_seconds=25)
    credit_watch.beat()
    assert 25 * RATE <= UsageRecord.objects.get().amount_nanos < 30 * RATE


@pytest.mark.parametrize(("stops", "stopped"), [(False, 0), (True, 5)])
def test_f17_what_runs_is_stopped_at_a_limit_only_for_who_wants_that(alice, version, stops, stopped):
    fund(alice, 10_000 * RATE)
    limits.set_limit(alice.pk, period="month", limit_nanos=5 * 30 * RATE)
    be(alice, stops_at_limit=stops)
    for _ in range(5):
        running(version, for_seconds=25)
    ended = credit_watch.beat()
    assert len(ended) == stopped
    errors = Prediction.objects.filter(pk__in=ended).values_list("error", flat=True)
    assert set(errors) <= {credit_watch.AT_LIMIT}


def test_a_quoted_run_needs_no_more_than_its_quote(alice, version):
    fund(alice, 30 * RATE)
    prediction = running(version, for_seconds=100)
    Prediction.objects.filter(pk=prediction.pk).update(cost_cap_nanos=30 * RATE)
    assert credit_watch.beat() == []
    assert held(alice) == 30 * RATE


def test_f16_a_leaked_hold_is_found_and_counted(alice, version):
    fund(alice, 1000 * RATE)
    alive, ended = make_prediction(version), make_prediction(version)
    end(ended)
    holds.place_many([holds.HoldRequest("prediction/nobody", alice.pk, RATE)])
    with transaction.atomic():
        holds.reserve(accounts.lock(alice.pk), "refund/of-a-card", RATE)  # no work: its own flow releases it
    young = hold_leaks.sweep()
    Hold.objects.update(created_at=timezone.now() - datetime.timedelta(hours=1))
    assert (young, hold_leaks.sweep(), hold_leaks.sweep()) == (0, 1, 0)
    assert set(Hold.objects.filter(state=Hold.State.OPEN).values_list("subject", flat=True)) == {
        "refund/of-a-card",
        costs.subject_of(alive),
        costs.subject_of(ended),  # its usage is not posted yet
    }
