"""A training's success and its version come together or not at all, and once."""

import threading

import orjson
import pytest
from django.db import connection
from django.utils import timezone

from models_catalog import publishing
from models_catalog.models import Model, Version
from runner import files, trainings
from runner.lifecycle import Outcome
from runner.models import Prediction, WebhookDelivery
from runner.states import Status
from tests.models_catalog.factories import TRAINING, ModelFactory, VersionFactory, schema
from tests.runner.factories import make_training, start

WEIGHTS = "https://files.example.test/w.tar"


@pytest.fixture
def training(db):
    trainer = VersionFactory.create(openapi_schema=schema(**TRAINING))
    return make_training(trainer, ModelFactory.create(), webhook="https://hooks.example.test/")


def success(training, **given):
    return Outcome(training.pk, start(training), Status.SUCCEEDED, output={"weights": WEIGHTS}, **given)


def test_a_success_names_the_version_it_made(training):
    ended = trainings.succeed(success(training))
    assert ended is not None
    version = Version.objects.get(training_id=training.pk)
    assert ended.output == {"weights": WEIGHTS, "version": f"{training.destination.full_name}:{version.pk}"}
    assert (version.weights, version.base_id) == (WEIGHTS, training.version_id)


def test_the_webhook_carries_the_training_as_the_api_shows_it(training):
    trainings.succeed(success(training))
    document = orjson.loads(bytes(WebhookDelivery.objects.get(event="completed").body))
    assert document["output"]["version"].startswith(training.destination.full_name)
    assert "/v1/trainings/" in document["urls"]["get"]


def test_a_late_success_makes_no_version(training):
    outcome = success(training)
    Prediction.objects.filter(pk=training.pk).update(claim="somebody else's")
    assert trainings.succeed(outcome) is None
    assert not Version.objects.filter(training_id=training.pk).exists()


def test_without_its_version_there_is_no_success(training, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the process died here")

    monkeypatch.setattr(publishing, "accept_trained", fail)
    with pytest.raises(RuntimeError):
        trainings.succeed(success(training))
    training.refresh_from_db()
    assert training.status == Status.PROCESSING


def test_a_destination_that_was_deleted_fails_it(training):
    Model.objects.filter(pk=training.destination_id).update(deleted_at=timezone.now())
    ended = trainings.succeed(success(training))
    assert ended is not None
    assert (ended.status, ended.output, ended.error) == (
        "failed",
        None,
        "The training's destination was deleted while it ran",
    )


@pytest.mark.django_db(transaction=True)
def test_two_successes_at_once_make_one_version(training):
    outcome, together, ended = success(training), threading.Barrier(2), []

    def succeed():
        together.wait()
        ended.append(trainings.succeed(outcome))
        connection.close()

    threads = [threading.Thread(target=succeed) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one is not None for one in ended) == 1
    assert Version.objects.filter(training_id=training.pk).count() == 1


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        (WEIGHTS, {"weights": WEIGHTS}),
        ({"weights": WEIGHTS, "perplexity": 3}, {"weights": WEIGHTS, "perplexity": 3}),
        ({"weights": WEIGHTS, "version": "mine"}, {"weights": WEIGHTS}),
        ({"weights": None, "perplexity": 3}, {"perplexity": 3}),
        (None, {}),
    ],
)
def test_what_a_model_gave_is_kept_beside_its_weights(training, output, kept):
    assert trainings.keep_result(training, output) == kept


@pytest.mark.parametrize(
    ("output", "content"),
    [("a word", b"a word"), ({"scale": 3}, b'{"scale":3}'), ({"weights": [1, 2]}, b"[1,2]")],
)
def test_weights_that_are_no_file_become_one(training, output, content):
    url = trainings.keep_result(training, output)["weights"]
    file = files.find_output(url)
    assert file is not None
    with files.open_content(file) as opened:
        assert opened.read() == content


def test_a_training_takes_no_longer_than_the_site_allows(training, settings):
    from runner.engine.patience import time_limit_seconds

    assert time_limit_seconds(training.pool) == 0
    settings.TRAINING_TIMEOUT_SECONDS = 60
    assert time_limit_seconds(training.pool) == 60
