"""What sweeps settle without any wake-up."""

import datetime

import pytest
from django.utils import timezone

from models_catalog.models import Model
from runner.engine.sweeps import end_overdue, ended_by_others
from runner.models import Prediction
from runner.states import Status
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction, start

pytestmark = pytest.mark.django_db


def test_who_waits_past_the_deadline_is_aborted_and_who_runs_is_not() -> None:
    version = VersionFactory.create()
    waiting, running = (make_prediction(version, deadline_seconds=0) for _ in range(2))
    start(running)
    assert [p.pk for p in end_overdue()] == [waiting.pk]
    assert Prediction.objects.get(pk=waiting.pk).status == Status.ABORTED


def test_who_waits_past_the_queues_limit_fails_with_its_code() -> None:
    waiting = make_prediction(VersionFactory.create())
    Prediction.objects.update(created_at=timezone.now() - datetime.timedelta(hours=2))
    end_overdue()
    assert "(E6716)" in str(Prediction.objects.get(pk=waiting.pk).error)


def test_who_waits_for_a_model_taken_down_is_canceled() -> None:
    waiting = make_prediction(VersionFactory.create())
    Model.objects.update(hidden_at=timezone.now())
    end_overdue()
    assert Prediction.objects.get(pk=waiting.pk).status == Status.CANCELED


def test_a_round_with_nothing_to_do_does_nothing() -> None:
    make_prediction(VersionFactory.create())
    assert end_overdue() == []


def test_predictions_that_others_ended_are_found() -> None:
    version = VersionFactory.create()
    running, ended = make_prediction(version), make_prediction(version)
    start(running)
    end(ended)
    assert ended_by_others({running.pk, ended.pk}) == [ended.pk]
