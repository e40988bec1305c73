"""Trainings over the API, without a runner: what is accepted, refused and shown, and that predictions are apart."""

import re

import pytest

from models_catalog.models import Model
from runner.models import Prediction
from tests.models_catalog.factories import TRAINING, ModelFactory, VersionFactory, schema
from tests.runner.factories import end, make_prediction, make_training, start

NO_DESTINATION = {"detail": "The specified training destination does not exist", "status": 404}
NOT_FOUND = {"detail": "The requested resource could not be found.", "status": 404}
TEXT = "data:text/plain,hello"


@pytest.fixture
def trainer(stranger):
    """A public model that can train, somebody else's."""
    return VersionFactory.create(
        model__account=stranger,
        model__name="trainer",
        openapi_schema=schema(**TRAINING),
        config={"train": "t.py:train"},
    )


@pytest.fixture
def destination(alice):
    return ModelFactory.create(account=alice, name="my-tone")


def path_of(version):
    return f"/v1/models/{version.model.full_name}/versions/{version.pk}/trainings"


def body(**members):
    return {"destination": "alice/my-tone", "input": {"text": TEXT}, **members}


def test_a_creation_is_answered_at_once_as_starting(api, trainer, destination):
    answer = api.post(path_of(trainer), body())
    document = answer.json()
    assert answer.status_code == 201
    assert (document["status"], document["output"], document["error"]) == ("starting", None, None)
    assert (document["model"], document["version"]) == ("stranger/trainer", trainer.pk)
    assert document["urls"]["get"].endswith(f"/v1/trainings/{document['id']}")
    assert answer.headers["location"] == document["urls"]["get"]


def test_the_document_lacks_what_only_predictions_have(api, trainer, destination):
    made = api.post(path_of(trainer), body()).json()
    read = api.get(f"/v1/trainings/{made['id']}").json()
    assert made == read
    assert not {"data_removed", "deployment", "deadline", "destination"} & set(read)
    assert set(read["urls"]) == {"get", "cancel", "web"}


def test_webhook_members_are_echoed_and_unknown_ones_ignored(api, trainer, destination):
    asked = {"webhook": "https://hooks.example.test/x", "webhook_events_filter": ["completed"]}
    answer = api.post(path_of(trainer), body(**asked, version=trainer.pk, stream=1, surplus="?"))
    assert answer.status_code == 201
    assert {name: answer.json()[name] for name in asked} == asked


@pytest.mark.parametrize(
    "given",
    [None, 7, "", "my-tone", "alice/", "alice/nothing", "stranger/trainer", "bob/my-tone", "alice/my-tone/x"],
)
def test_a_destination_that_is_no_model_of_mine_gets_one_answer(api, trainer, destination, given):
    answer = api.post(path_of(trainer), body(destination=given))
    assert (answer.status_code, answer.json()) == (404, NO_DESTINATION)


def test_a_missing_destination_gets_the_same_answer(api, trainer, destination):
    answer = api.post(path_of(trainer), {"input": {"text": TEXT}})
    assert (answer.status_code, answer.json()) == (404, NO_DESTINATION)


def test_a_destination_is_found_in_any_case(api, trainer, destination):
    assert api.post(path_of(trainer), body(destination="Alice/My-Tone")).status_code == 201


@pytest.mark.parametrize("path", ["stranger/trainer/versions/{other}", "stranger/other/versions/{id}"])
def test_an_unknown_trainer_is_not_found(api, trainer, destination, path):
    wanted = path.format(id=trainer.pk, other="0" * 64)
    answer = api.post(f"/v1/models/{wanted}/trainings", body())
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_a_private_trainer_of_others_is_not_found(api, trainer, destination):
    Model.objects.update(visibility="private")
    answer = api.post(path_of(trainer), body())
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


def test_a_version_without_a_training_is_refused(api, alice, destination):
    plain = VersionFactory.create(model__account=alice)
    answer = api.post(path_of(plain), body())
    assert (answer.status_code, answer.json()["title"]) == (422, "Model is not trainable")


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ({}, "- input: text is required\n"),
        ({"text": TEXT, "order": 9}, "- input.order: Must be less than or equal to 6\n"),
        ({"text": 1}, "- input.text: Invalid type. Expected: string, given: integer\n"),
    ],
)
def test_the_input_is_held_to_the_training_schema(api, trainer, destination, given, detail):
    answer = api.post(path_of(trainer), body(input=given))
    assert (answer.status_code, answer.json()["title"]) == (422, "Input validation failed")
    assert answer.json()["detail"] == detail


def test_a_missing_input_is_named(api, trainer, destination):
    answer = api.post(path_of(trainer), {"destination": "alice/my-tone"})
    assert (answer.status_code, answer.json()["detail"]) == (422, "- input is required\n")


def test_secrets_are_sealed(api, trainer, destination):
    document = api.post(path_of(trainer), body(input={"text": TEXT, "key": "hush"})).json()
    assert document["input"]["key"] == "[REDACTED]"
    row = Prediction.objects.get(pk=document["id"])
    assert b"hush" not in bytes(row.sealed_secrets or b"")


def test_a_repeated_creation_with_one_idempotency_key_trains_once(api, trainer, destination):
    key = {"Idempotency-Key": "once"}
    first, second = (api.post(path_of(trainer), body(), headers=key).json() for _ in range(2))
    assert first == second
    assert Prediction.objects.count() == 1


def test_predictions_and_trainings_do_not_see_each_other(api, alice, trainer, destination):
    prediction, training = make_prediction(trainer_of(alice)), make_training(trainer, destination)
    for one, other in [("predictions", training), ("trainings", prediction)]:
        assert api.get(f"/v1/{one}/{other.pk}").status_code == 404
        assert api.post(f"/v1/{one}/{other.pk}/cancel").status_code == 404
    assert [row["id"] for row in api.get("/v1/predictions").json()["results"]] == [prediction.pk]
    assert [row["id"] for row in api.get("/v1/trainings").json()["results"]] == [training.pk]


def trainer_of(account):
    return VersionFactory.create(model__account=account, openapi_schema=schema())


def test_trainings_are_listed_newest_first_and_only_mine(api, stranger_api, trainer, destination):
    older, newer = make_training(trainer, destination), make_training(trainer, destination)
    assert [row["id"] for row in api.get("/v1/trainings").json()["results"]] == [newer.pk, older.pk]
    assert stranger_api.get("/v1/trainings").json()["results"] == []
    assert stranger_api.get(f"/v1/trainings/{older.pk}").status_code == 404


@pytest.mark.parametrize("is_running", [False, True])
def test_a_cancel_ends_it_at_once_and_may_be_repeated(api, trainer, destination, is_running):
    training = make_training(trainer, destination)
    if is_running:
        start(training)
    first = api.post(f"/v1/trainings/{training.pk}/cancel")
    assert (first.status_code, first.json()["status"], first.json()["output"]) == (200, "canceled", None)
    assert api.post(f"/v1/trainings/{training.pk}/cancel").json() == first.json()


def test_a_failed_training_shows_no_output(api, trainer, destination):
    training = end(make_training(trainer, destination), "failed", output={"weights": "https://x.example.test/w"})
    document = api.get(f"/v1/trainings/{training.pk}").json()
    assert (document["status"], document["output"], document["error"]) == ("failed", None, "out of paper")


def test_ids_are_like_those_of_predictions(api, trainer, destination):
    assert re.fullmatch(r"[a-z0-9]{26}", api.post(path_of(trainer), body()).json()["id"])


def test_a_body_that_is_no_object_is_malformed(api, trainer, destination):
    answer = api.request("POST", path_of(trainer), content=b"[1]")
    assert (answer.status_code, answer.json()["title"]) == (400, "Malformed request")


def test_a_visitor_is_turned_away(anonymous_api, trainer):
    assert anonymous_api.post(path_of(trainer), body()).status_code == 401
