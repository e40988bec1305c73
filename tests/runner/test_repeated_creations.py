"""Predictions under an `Idempotency-Key`: written together with it, answered again from the row."""

import concurrent.futures

import pytest

from accounts.idempotency import Key
from accounts.models import IdempotencyRecord
from runner import lifecycle, repeated_creations
from runner.models import Prediction
from runner.repeated_creations import AlreadyMade
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction

KEYED = {"Idempotency-Key": "order-17"}


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo")


@pytest.fixture
def body(version):
    return {"version": version.pk, "input": {"text": "hi"}}


def test_a_creation_sent_again_is_answered_again_as_starting(api, body):
    first = api.post("/v1/predictions", body, headers=KEYED)
    end(Prediction.objects.get(), output="HI")
    second = api.post("/v1/predictions", body, headers=KEYED)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["location"] == first.headers["location"]
    assert ("idempotent-replayed" in first.headers, second.headers["idempotent-replayed"]) == (False, "true")
    assert Prediction.objects.count() == 1


def test_the_record_names_the_prediction(api, body):
    made = api.post("/v1/predictions", body, headers=KEYED).json()["id"]
    assert IdempotencyRecord.objects.get().subject == f"prediction/{made}"


def test_a_repetition_may_wait_for_the_end(api, body):
    api.post("/v1/predictions", body, headers=KEYED)
    late = api.post("/v1/predictions", body, headers={**KEYED, "Prefer": "wait=1"})
    assert (late.status_code, late.json()["status"], late.headers["preference-applied"]) == (202, "starting", "wait=1")
    end(Prediction.objects.get(), output="HI")
    ended = api.post("/v1/predictions", body, headers={**KEYED, "Prefer": "wait=5"})
    assert (ended.status_code, ended.json()["status"], ended.json()["output"]) == (201, "succeeded", "HI")


def test_a_key_is_for_one_body_alone(api, body):
    api.post("/v1/predictions", body, headers=KEYED)
    answer = api.post("/v1/predictions", {**body, "input": {"text": "ho"}}, headers=KEYED)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    assert Prediction.objects.count() == 1


def test_an_input_that_is_refused_may_be_mended_under_the_same_key(api, body):
    assert api.post("/v1/predictions", {**body, "input": {}}, headers=KEYED).status_code == 422
    assert api.post("/v1/predictions", body, headers=KEYED).status_code == 201


def test_a_prediction_that_is_gone_is_not_made_again(api, body):
    api.post("/v1/predictions", body, headers=KEYED)
    Prediction.objects.all().delete()
    assert api.post("/v1/predictions", body, headers=KEYED).status_code == 409
    assert not Prediction.objects.exists()


def test_of_many_at_once_one_is_created(api, body):
    with concurrent.futures.ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda _: api.post("/v1/predictions", body, headers=KEYED), range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Prediction.objects.count() == 1


def test_dying_before_the_commit_leaves_neither_key_nor_prediction(version, monkeypatch):
    prediction = make_prediction(version)
    Prediction.objects.all().delete()

    def die(_: object) -> None:
        raise SystemExit

    key = Key(version.model.account_id, "k", "hash")
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "insert_many", die)
        with pytest.raises(SystemExit):
            repeated_creations.insert_once(key, prediction)
    assert not IdempotencyRecord.objects.exists()
    repeated_creations.insert_once(key, prediction)
    with pytest.raises(AlreadyMade) as again:
        repeated_creations.insert_once(key, prediction)
    assert again.value.prediction == prediction
