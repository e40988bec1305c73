"""What class a prediction or an instance is of, decided when it is made, and what is charged for it."""

import datetime

import pytest

from billing.instance_time import End
from billing.models import InstanceMeter, QuarantinedUsage, UsageRecord
from runner import instances, lifecycle, queueing
from runner.instances import SetupFailed
from runner.lifecycle import Outcome
from runner.models import Deployment, Instance, Prediction
from runner.pools import Pool
from runner.states import FaultClass, Status
from tests.models_catalog.factories import TRAINING, ModelFactory, VersionFactory, schema
from tests.runner.factories import end, make_instance, make_prediction, make_training, start

PUBLIC, PRIVATE = {"model__visibility": "public"}, {"model__visibility": "private"}


def record_of(prediction: Prediction) -> UsageRecord:
    return UsageRecord.objects.get(subject=f"prediction/{prediction.pk}")


@pytest.fixture
def host(alice):
    return make_instance(Pool(VersionFactory.create(model__account=alice).pk, "cpu")).host


@pytest.mark.parametrize(("columns", "billing_class"), [(PUBLIC, "shared"), (PRIVATE, "dedicated")])
def test_who_may_run_the_version_decides(alice, columns, billing_class):
    prediction = make_prediction(VersionFactory.create(model__account=alice, **columns))
    assert prediction.billing_class == billing_class


def test_a_private_version_of_a_public_model_is_its_owners_alone(alice):
    version = VersionFactory.create(model__account=alice, is_private=True)
    assert make_prediction(version).billing_class == "dedicated"


def test_a_class_stays_whatever_becomes_of_the_model(alice):
    version = VersionFactory.create(model__account=alice, **PUBLIC)
    prediction = make_prediction(version)
    type(version.model).objects.update(visibility="private")
    end(prediction, predict_us=1_000_000)
    assert (record_of(prediction).billing_class, record_of(prediction).quantity) == ("shared", 1_000_000)


def test_inv_15_a_prediction_on_an_instance_of_ones_own_costs_nothing(alice):
    prediction = end(make_prediction(VersionFactory.create(model__account=alice, **PRIVATE)), predict_us=1_000_000)
    record = record_of(prediction)
    assert (record.billing_class, record.quantity, record.amount_nanos) == ("dedicated", 0, 0)


def test_a_record_says_who_ran_it(alice):
    prediction = end(make_prediction(VersionFactory.create(model__account=alice)), predict_us=1)
    assert (record_of(prediction).user_id, record_of(prediction).deployment_name) == (alice.user_id, "")


def test_private_and_shared_predictions_run_on_different_instances(alice):
    version = VersionFactory.create(model__account=alice, **PUBLIC)
    shared = make_prediction(version)
    Prediction.objects.filter(pk=make_prediction(version).pk).update(billing_class="dedicated")
    pools = {item.pool for item in queueing.read_queue()}
    assert pools == {shared.pool, shared.pool._replace(is_private=True)}
    assert [p.pk for p in queueing.waiting_in(shared.pool)] == [shared.pk]


@pytest.mark.parametrize(
    ("columns", "billing_class"),
    [({}, "shared"), ({"is_private": True}, "dedicated"), ({"is_training": True}, "training")],
)
def test_an_instances_class_is_its_pools(host, alice, columns, billing_class):
    version = VersionFactory.create(model__account=alice)
    row = instances.create(host.pk, Pool(version.pk, "cpu", **columns))
    assert row is not None
    assert (row.billing_class, Instance.objects.get(pk=row.pk).pool) == (
        billing_class,
        Pool(version.pk, "cpu", **columns),
    )
    assert InstanceMeter.objects.filter(pk=row.pk).exists() == (billing_class == "dedicated")


def test_an_instance_of_a_deployment_is_paid_by_who_has_it(host, alice, stranger):
    version = VersionFactory.create(model__account=alice)
    deployment = Deployment.objects.create(account=stranger, name="prod")
    row = instances.create(host.pk, Pool(version.pk, "cpu", deployment.pk))
    assert row is not None
    meter = InstanceMeter.objects.get(pk=row.pk)
    assert (meter.account_id, meter.deployment_name, meter.model_name) == (
        stranger.pk,
        "stranger/prod",
        version.model.full_name,
    )


def test_f22_a_version_in_a_crash_loop_is_not_started(host, alice):
    pool = Pool(VersionFactory.create(model__account=alice).pk, "cpu", is_private=True)
    for _ in range(3):
        row = instances.create(host.pk, pool)
        assert row is not None
        instances.mark_ended(row.pk, End.SETUP_FAILED, error="no such file")
    with pytest.raises(SetupFailed, match="crash_loop"):
        instances.create(host.pk, pool)
    assert Instance.objects.filter(version_id=pool.version_id).count() == 3


def test_a_training_is_charged_its_processing_time(alice):
    trainer = VersionFactory.create(openapi_schema=schema(**TRAINING))
    training = end(make_training(trainer, ModelFactory.create(account=alice)), Status.FAILED, predict_us=2_000_000)
    assert (record_of(training).billing_class, record_of(training).quantity) == ("training", 2_000_000)


@pytest.mark.parametrize("told_us", [-1, 10**12, 10_000_000])
def test_f11_a_time_that_cannot_be_is_not_charged_and_kept_for_a_look(alice, told_us):
    prediction = make_prediction(VersionFactory.create(model__account=alice))
    claim = start(prediction)
    lifecycle.end_many([Outcome(prediction.pk, claim, Status.SUCCEEDED, predict_us=told_us)])
    assert record_of(prediction).amount_nanos == 0
    row = QuarantinedUsage.objects.get()
    assert (row.subject, row.quantity) == (f"prediction/{prediction.pk}", None if told_us < 0 else told_us)


def test_f12_a_late_end_of_a_run_that_was_given_up_changes_nothing(alice):
    prediction = make_prediction(VersionFactory.create(model__account=alice))
    claim = start(prediction, ago_us=1_000_000)
    Prediction.objects.filter(pk=prediction.pk).update(tries=lifecycle.MAX_TRIES)
    assert lifecycle.requeue(prediction.pk, claim, logs="") is not None
    late = Outcome(prediction.pk, claim, Status.SUCCEEDED, predict_us=1_000_000)
    assert lifecycle.end_many([late]) == [None]
    assert (record_of(prediction).amount_nanos, record_of(prediction).fault_class) == (0, "host")


def test_a_timed_out_run_is_charged_its_limit_at_most(alice, settings):
    settings.PREDICTION_TIMEOUT_SECONDS = 2
    prediction = make_prediction(VersionFactory.create(model__account=alice))
    end(prediction, Status.FAILED, error="timed out", fault_class=FaultClass.TIMEOUT, predict_us=2_400_000)
    assert record_of(prediction).quantity == 2_000_000


def test_inv_13_every_end_has_one_outcome_in_the_bill(alice):
    version = VersionFactory.create(model__account=alice)
    rows = [make_prediction(version) for _ in range(4)]
    claims = [start(row) for row in rows[:3]]
    outcomes = [
        Outcome(rows[0].pk, claims[0], Status.SUCCEEDED, predict_us=5),
        Outcome(rows[1].pk, claims[1], Status.FAILED, error="e", fault_class=FaultClass.PLATFORM, predict_us=5),
        Outcome(rows[2].pk, None, Status.CANCELED, fault_class=FaultClass.USER_CANCEL),
        Outcome(rows[3].pk, None, Status.ABORTED, fault_class=FaultClass.TIMEOUT),
    ]
    lifecycle.end_many(outcomes)
    lifecycle.end_many(outcomes)
    keys = [f"pred:{row.pk}:compute_time" for row in rows]
    assert sorted(UsageRecord.objects.values_list("key", flat=True)) == sorted(keys)


def test_the_database_tells_when_a_run_ended(alice, monkeypatch):
    """F10: a runner whose wall clock is an hour wrong gives no wrong times."""
    prediction = make_prediction(VersionFactory.create(model__account=alice))
    ended = end(prediction, predict_us=1_500_000)
    assert ended.completed_at is not None
    assert abs(ended.completed_at - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=5)
