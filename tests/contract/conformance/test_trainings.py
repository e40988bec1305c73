"""Checklist 98 to 100: trainings.  Source: replicate-api.md 8."""

import base64
import re
import time

import pytest
from replicate.exceptions import ReplicateError

pytestmark = pytest.mark.contract
NO_DESTINATION = {"detail": "The specified training destination does not exist", "status": 404}
MISSING = {"detail": "The requested resource could not be found.", "status": 404}
TEXT = "data:text/plain;base64," + base64.b64encode(b"a poem").decode()


def path_of(reference):
    name, _, version = reference.partition(":")
    return f"/v1/models/{name}/versions/{version}/trainings"


def until(client, training, *statuses, seconds=60.0):
    end = time.monotonic() + seconds
    while training.status not in statuses and time.monotonic() < end:
        time.sleep(0.1)
        training = client.trainings.get(training.id)
    assert training.status in statuses, training.error
    return training


def test_item_098_a_training_starts_and_has_urls_of_its_own(live_site, learner, tuned):
    answer = live_site.request("POST", path_of(learner), json={"destination": tuned, "input": {"text": TEXT}})
    training = answer.json()
    assert (answer.status_code, training["status"], training["output"]) == (201, "starting", None)
    assert training["urls"]["get"] == f"{live_site.base_url}/v1/trainings/{training['id']}"
    assert answer.headers["location"] == training["urls"]["get"]
    assert (training["model"], training["version"]) == ("nina/learner", learner.partition(":")[2])


@pytest.mark.parametrize("destination", ["nina", "nina/nothing", "mallory/hers", "nina/tuned:latest", "", None])
def test_item_098_a_destination_that_is_no_model_of_ours_is_not_found(live_site, learner, tuned, mallory, destination):
    body = {"destination": destination, "input": {"text": TEXT}}
    answer = live_site.request("POST", path_of(learner), json=body)
    assert (answer.status_code, answer.json()) == (404, NO_DESTINATION)


@pytest.fixture(scope="session")
def mallory(live_site):
    """Somebody else's token; she has a public model `hers`."""
    token = live_site.new_account("mallory")
    wanted = {"owner": "mallory", "name": "hers", "visibility": "public", "hardware": "cpu-small"}
    live_site.request("POST", "/v1/models", json=wanted, token=token).raise_for_status()
    return token


def test_item_099_a_success_names_a_version_of_the_destination(live_site, client, learner, tuned):
    training = client.trainings.create(version=learner, input={"text": TEXT, "seconds": 1}, destination=tuned)
    running = until(client, training, "processing")
    assert running.output is None
    ended = until(client, training, "succeeded")
    assert re.fullmatch(r"[^/]+/[^/:]+:[0-9a-f]{64}", ended.output["version"])
    name, _, version_id = ended.output["version"].partition(":")
    assert name == tuned
    assert client.models.get(name).versions.get(version_id).id == version_id
    assert ended.output["weights"].startswith("http")
    assert (ended.logs, ended.error) == ("learning\n", None)
    document = live_site.request("GET", ended.urls["get"]).json()
    assert document["metrics"]["predict_time"] >= 1


def test_item_099_a_failure_has_its_reason_and_no_output(client, learner, tuned):
    training = client.trainings.create(version=learner, input={"text": TEXT, "end": "error"}, destination=tuned)
    ended = until(client, training, "failed")
    assert (ended.output, ended.error) == (None, "ValueError: nothing to learn here")


def test_item_100_a_cancel_answers_canceled_at_once_and_again(client, learner, tuned):
    training = client.trainings.create(version=learner, input={"text": TEXT, "seconds": 600}, destination=tuned)
    until(client, training, "processing")
    asked = time.monotonic()
    canceled = client.trainings.cancel(training.id)
    assert (canceled.status, canceled.output) == ("canceled", None)
    assert time.monotonic() - asked < 5
    assert client.trainings.cancel(training.id).status == "canceled"
    assert client.trainings.get(training.id).status == "canceled"


def test_item_100_the_list_is_newest_first(client, learner, tuned):
    made = [client.trainings.create(version=learner, input={"text": TEXT}, destination=tuned) for _ in range(2)]
    page = client.trainings.list()
    assert [training.id for training in page.results[:2]] == [training.id for training in reversed(made)]
    times = [training.created_at for training in page.results]
    assert times == sorted(times, reverse=True)


def test_item_100_predictions_and_trainings_are_not_found_as_each_other(live_site, client, echo, learner, tuned):
    prediction = client.predictions.create(version=echo.partition(":")[2], input={"text": "hi"})
    training = client.trainings.create(version=learner, input={"text": TEXT}, destination=tuned)
    for path in [f"predictions/{training.id}", f"trainings/{prediction.id}"]:
        for method, action in [("GET", ""), ("POST", "/cancel")]:
            answer = live_site.request(method, f"/v1/{path}{action}")
            assert (answer.status_code, answer.json()) == (404, MISSING)


def test_item_100_another_accounts_training_is_not_found(live_site, client, learner, tuned, mallory):
    training = client.trainings.create(version=learner, input={"text": TEXT}, destination=tuned)
    answer = live_site.request("GET", f"/v1/trainings/{training.id}", token=mallory)
    assert (answer.status_code, answer.json()) == (404, MISSING)
    assert live_site.request("GET", "/v1/trainings", token=mallory).json()["results"] == []


def test_a_version_that_cannot_train_is_refused_by_name(client, echo, tuned):
    with pytest.raises(ReplicateError, match="Model is not trainable"):
        client.trainings.create(version=echo, input={}, destination=tuned)
