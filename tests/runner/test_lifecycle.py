"""A prediction ends once and is billed once, whoever tries, whatever is sent."""

import itertools
import threading

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import UsageRecord
from runner import lifecycle
from runner.lifecycle import Outcome
from runner.models import Hardware, Host, Instance, Prediction, WebhookDelivery
from runner.states import TERMINAL, FaultClass, Status, may_move
from tests.models_catalog.factories import TEXT_ITERATOR, VersionFactory, schema
from tests.runner.factories import end, make_prediction, start


def row(prediction: Prediction) -> Prediction:
    return Prediction.objects.get(pk=prediction.pk)


def usage(prediction: Prediction) -> list[tuple[int, int]]:
    records = UsageRecord.objects.filter(subject=f"prediction/{prediction.pk}")
    return list(records.values_list("quantity", "amount_nanos"))


@pytest.mark.parametrize(("before", "after"), list(itertools.product(Status, Status)))
def test_nothing_leaves_a_terminal_state(before: Status, after: Status) -> None:
    assert not (before in TERMINAL and may_move(before, after))


@pytest.mark.django_db
@pytest.mark.parametrize("second", sorted(TERMINAL))
def test_the_first_terminal_state_wins(second: str) -> None:
    prediction = make_prediction(VersionFactory.create())
    end(prediction, Status.SUCCEEDED, output="first", predict_us=1_000_000)
    late = Outcome(prediction.pk, None, second, output="late", error="late", predict_us=9)
    assert lifecycle.end_many([late]) == [None]
    assert (row(prediction).output, usage(prediction)) == ("first", [(1_000_000, 100_000)])


@pytest.mark.django_db
def test_two_outcomes_at_once_count_once() -> None:
    prediction = make_prediction(VersionFactory.create())
    claim = start(prediction)
    outcome = Outcome(prediction.pk, claim, Status.SUCCEEDED, output="x", predict_us=5)
    ended = lifecycle.end_many([outcome, Outcome(prediction.pk, claim, Status.FAILED, error="no")])
    assert [bool(e) for e in ended] == [True, False]
    assert len(usage(prediction)) == 1


@pytest.mark.django_db
def test_a_result_with_another_claim_is_dropped() -> None:
    prediction = make_prediction(VersionFactory.create())
    start(prediction)
    assert lifecycle.end_many([Outcome(prediction.pk, "somebody else's", Status.SUCCEEDED)]) == [None]
    assert row(prediction).status == Status.PROCESSING


@pytest.mark.django_db
@pytest.mark.parametrize("fault", FaultClass.values)
def test_platform_faults_are_free_and_all_else_is_charged(fault: str) -> None:
    prediction = make_prediction(VersionFactory.create())
    end(prediction, Status.FAILED, error="e", fault_class=fault, predict_us=2_000_000)
    is_ours = fault in (FaultClass.PLATFORM, FaultClass.HOST, FaultClass.POLICY)
    assert usage(prediction) == [(0, 0) if is_ours else (2_000_000, 200_000)]


@pytest.mark.django_db
def test_what_never_started_is_free() -> None:
    prediction = make_prediction(VersionFactory.create())
    lifecycle.end_many([Outcome(prediction.pk, None, Status.CANCELED, fault_class=FaultClass.USER_CANCEL)])
    assert usage(prediction) == [(0, 0)]
    assert "predict_time" not in row(prediction).metrics


@pytest.mark.django_db
def test_a_terminal_webhook_is_written_with_the_state_and_only_once() -> None:
    prediction = make_prediction(VersionFactory.create(), webhook="https://hooks.example.test/")
    end(prediction)
    lifecycle.end_many([Outcome(prediction.pk, None, Status.CANCELED)])
    assert list(WebhookDelivery.objects.values_list("event", flat=True)) == ["completed"]


@pytest.mark.django_db
def test_text_that_postgresql_cannot_store_is_replaced() -> None:
    prediction = make_prediction(VersionFactory.create())
    end(prediction, output={"a\x00": ["\x00", float("nan")]}, logs="\x00")
    assert (row(prediction).output, row(prediction).logs) == ({"a\ufffd": ["\ufffd", None]}, "\ufffd")


@pytest.mark.django_db
def test_progress_of_a_lost_claim_is_refused() -> None:
    prediction = make_prediction(VersionFactory.create(openapi_schema=schema(output=TEXT_ITERATOR)))
    claim = start(prediction)
    assert lifecycle.save_progress(prediction.pk, claim, outputs=["a"], logs="l")
    end_claim = Outcome(prediction.pk, claim, Status.CANCELED, keep_output=True)
    lifecycle.end_many([end_claim])
    assert not lifecycle.save_progress(prediction.pk, claim, outputs=["a", "b"], logs="l")
    assert row(prediction).output == ["a"]


@pytest.mark.django_db
def test_a_prediction_is_requeued_twice_and_then_fails_for_free() -> None:
    prediction = make_prediction(VersionFactory.create())
    for tries in (1, 2, 3):
        claim = start(prediction)
        Prediction.objects.filter(pk=prediction.pk).update(tries=tries)
        lifecycle.requeue(prediction.pk, claim, logs="log\n", reason="the power went")
    assert (row(prediction).status, row(prediction).fault_class, usage(prediction)) == ("failed", "platform", [(0, 0)])
    assert "the power went" in str(row(prediction).error)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_of_two_runners_one_gets_the_prediction() -> None:
    prediction = make_prediction(VersionFactory.create())
    host = Host.objects.create(name="h", backend="process", cpu_millis=1, memory_bytes=1, last_seen_at=timezone.now())
    hardware = Hardware.objects.get_or_create(sku="cpu", defaults={"name": "CPU", "cpu_millis": 1, "memory_bytes": 1})[
        0
    ]
    instance = Instance.objects.create(host=host, version=prediction.version, hardware=hardware)
    barrier, won = threading.Barrier(2), list[object]()

    def claim() -> None:
        barrier.wait()
        won.extend(lifecycle.claim_many([lifecycle.new_claim(prediction.pk, instance.pk)]))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(prediction is not None for prediction in won) == 1
