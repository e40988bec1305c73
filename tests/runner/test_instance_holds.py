"""Instances that are paid for by their time are held for ten minutes ahead.  Source: billing.md 8.1, 8.2."""

import datetime

import pytest
from django.utils import timezone

from billing import instance_time, posting
from billing.instance_time import Beat, End
from billing.models import BillingAccount, Hold, InstanceMeter
from marketplace.lib import wakeups
from runner import credit_watch, instance_holds, instances
from runner.models import Instance, Prediction
from runner.states import Status
from tests.billing.factories import fund
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import make_instance, make_prediction, start

RATE = 25_000  # nanos a second on `cpu-small`
TEN_MINUTES = 600 * RATE


@pytest.fixture
def version(alice):
    """Alice's alone: its instances are hers to pay."""
    return VersionFactory.create(model__account=alice, model__visibility="private", model__hardware="cpu-small")


@pytest.fixture
def told(monkeypatch):
    """Messages to the runners."""
    messages = []
    monkeypatch.setattr(wakeups, "send_after_commit", lambda _, message: messages.append(message))
    return messages


def boot(version):
    pool = make_prediction(version).pool
    host = make_instance(pool._replace(is_private=False), state="stopped").host
    return instances.create(host.pk, pool)


def later(seconds):
    return timezone.now() + datetime.timedelta(seconds=seconds)


def held(account):
    return BillingAccount.objects.get(pk=account.pk).held_nanos


def test_a_boot_is_held_for_ten_minutes_and_its_predictions_for_nothing(alice, version):
    fund(alice, 2 * TEN_MINUTES)
    instance = boot(version)
    assert list(Hold.objects.values_list("subject", "amount_nanos")) == [(f"instance/{instance.pk}", TEN_MINUTES)]


def test_without_credit_for_it_nothing_boots(alice, version):
    fund(alice, TEN_MINUTES - 1)
    with pytest.raises(instances.NotPaid):
        boot(version)
    assert not InstanceMeter.objects.exists()
    assert not Instance.objects.exclude(state="stopped").exists()
    fund(alice, 1)
    assert boot(version)


def test_a_hold_is_renewed_each_minute(alice, version, told):
    fund(alice, 3 * TEN_MINUTES)
    boot(version)
    assert instance_holds.beat(now=later(30)) == []
    assert held(alice) == TEN_MINUTES
    assert instance_holds.beat(now=later(90)) == []
    assert 689 * RATE < held(alice) < 692 * RATE


def test_what_is_posted_is_taken_off_the_hold(alice, version):
    fund(alice, 3 * TEN_MINUTES)
    instance = boot(version)
    instance_time.ready(instance.pk)
    InstanceMeter.objects.update(seen_at=later(-20), segment_from=later(-20))
    instance_time.stop(instance.pk, End.STOPPED, Beat(instance.pk, "e", 15_000_000))
    posting.post_usage(account_id=alice.pk)
    assert held(alice) == 585 * RATE
    instance_holds.beat()
    assert held(alice) == 0


def test_when_credit_runs_out_the_instance_stops_with_what_runs_on_it(alice, version, told):
    fund(alice, TEN_MINUTES + 60 * RATE)
    instance = boot(version)
    prediction = make_prediction(version)
    start(prediction)
    Prediction.objects.filter(pk=prediction.pk).update(instance=instance)
    assert instance_holds.beat(now=later(590)) == []
    assert instance_holds.beat(now=later(610)) == [instance.pk]
    prediction.refresh_from_db()
    assert (prediction.status, prediction.error) == (Status.CANCELED, credit_watch.NO_CREDIT)
    assert {"type": "stop_instance", "id": instance.pk, "reason": "its account has no credit left"} in told


def test_money_that_comes_in_time_keeps_it(alice, version):
    fund(alice, TEN_MINUTES)
    boot(version)
    fund(alice, TEN_MINUTES)
    assert instance_holds.beat(now=later(590)) == []


def test_instances_of_accounts_that_are_not_charged_are_let_be(alice, version):
    boot(version)
    assert instance_holds.beat(now=later(10_000)) == []
    assert not Hold.objects.exists()
