"""Every move of a prediction is in the event log, in order, with what explains it and nothing private."""

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from runner import event_log, lifecycle
from runner.engine import sweeps
from runner.event_log import NewEvent
from runner.lifecycle import Outcome
from runner.models import Hardware, Host, Instance, LoggedEvent, Prediction
from runner.states import TERMINAL, FaultClass, Status
from tests.accounts.factories import AccountFactory
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction, start

pytestmark = pytest.mark.django_db


def told(prediction: Prediction) -> list[tuple[str, dict[str, object]]]:
    events = LoggedEvent.objects.filter(subject=f"prediction/{prediction.pk}").order_by("id")
    return [(event.type, event.data) for event in events]


@pytest.fixture
def prediction() -> Prediction:
    return make_prediction(VersionFactory.create(), input={"text": "my secret plan"})


@pytest.fixture
def instance(prediction: Prediction) -> Instance:
    host = Host.objects.create(name="h", backend="process", cpu_millis=1, memory_bytes=1, last_seen_at=timezone.now())
    hardware = Hardware.objects.get_or_create(sku="cpu", defaults={"name": "CPU", "cpu_millis": 1, "memory_bytes": 1})
    return Instance.objects.create(host=host, version=prediction.version, hardware=hardware[0])


def test_a_new_prediction_is_told_with_what_was_asked_for_but_not_its_input(prediction: Prediction) -> None:
    [(name, data)] = told(prediction)
    assert name == "prediction.created"
    assert data == {"model": prediction.model_name, "version": prediction.version_id, "source": "api"}


def test_the_start_says_where_and_which_try(prediction: Prediction, instance: Instance) -> None:
    lifecycle.claim_many([lifecycle.new_claim(prediction.pk, instance.pk)])
    assert told(prediction)[1:] == [("prediction.started", {"instance": instance.pk, "host": "h", "try": 1})]


def test_a_claim_that_failed_is_not_told(prediction: Prediction, instance: Instance) -> None:
    lifecycle.claim_many([lifecycle.new_claim(prediction.pk, instance.pk)])
    lifecycle.claim_many([lifecycle.new_claim(prediction.pk, instance.pk)])
    assert [name for name, _ in told(prediction)] == ["prediction.created", "prediction.started"]


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_end_is_told_once_and_without_the_models_words(prediction: Prediction, status: str) -> None:
    end(prediction, status, error="my secret plan", output="my secret plan", fault_class="model_error", predict_us=2)
    lifecycle.end_many([Outcome(prediction.pk, None, Status.SUCCEEDED)])
    assert told(prediction)[1:] == [(f"prediction.{status}", {"fault_class": "model_error", "predict_time": 2e-06})]


def test_a_training_is_told_as_one(prediction: Prediction) -> None:
    Prediction.objects.filter(pk=prediction.pk).update(kind=Prediction.Kind.TRAINING)
    end(prediction)
    event = LoggedEvent.objects.get(subject=f"training/{prediction.pk}")
    assert event.type == "training.succeeded"


def test_a_requeue_and_the_last_loss_say_why(prediction: Prediction) -> None:
    lifecycle.requeue(prediction.pk, start(prediction), logs="", reason="its process ended")
    assert told(prediction)[1:] == [("prediction.requeued", {"cause": "its process ended", "tries": 1})]
    claim = start(prediction)
    Prediction.objects.filter(pk=prediction.pk).update(tries=3)
    lifecycle.requeue(prediction.pk, claim, logs="", reason="the power went")
    assert told(prediction)[-1] == (
        "prediction.failed",
        {"cause": "the power went", "fault_class": "platform", "predict_time": 0},
    )


def test_a_prediction_that_is_given_back_is_told(prediction: Prediction) -> None:
    lifecycle.give_back(prediction.pk, start(prediction))
    lifecycle.give_back(prediction.pk, "no claim of it")
    assert [name for name, _ in told(prediction)] == ["prediction.created", "prediction.given_back"]


def test_the_wish_to_cancel_is_told_until_it_has_ended(prediction: Prediction) -> None:
    lifecycle.note_cancel_request(prediction.pk)
    end(prediction, Status.CANCELED, fault_class=FaultClass.USER_CANCEL)
    lifecycle.note_cancel_request(prediction.pk)
    assert [name for name, _ in told(prediction)][1:] == ["prediction.cancel_requested", "prediction.canceled"]


def test_a_deadline_that_passed_in_the_queue_is_told_as_the_cause(prediction: Prediction) -> None:
    Prediction.objects.filter(pk=prediction.pk).update(deadline=timezone.now())
    sweeps.end_overdue()
    assert told(prediction)[-1] == (
        "prediction.aborted",
        {"cause": "its deadline passed", "fault_class": "timeout"},
    )


def test_all_moves_of_a_group_are_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    account = AccountFactory.create()
    events = [NewEvent(account.pk, "batch.created", f"batch/{number}", {"total": number}) for number in range(50)]
    with django_assert_num_queries(1):
        event_log.record_many(events)
    rows = LoggedEvent.objects.filter(account=account).order_by("id")
    assert [row.data["total"] for row in rows] == list(range(50))
