"""Deleting versions and models: what is refused, what is gone at once, what is removed later and by whom."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.models import Account
from marketplace.lib.problems import NotFound
from models_catalog import publishing
from models_catalog.examples import save_example
from models_catalog.models import Model, Version
from runner import deletion
from runner.models import Deployment, Prediction, Release, StoredFile
from runner.states import Status
from tests.accounts.factories import caller_of
from tests.models_catalog.factories import ModelFactory, VersionFactory, schema
from tests.runner.factories import end, make_prediction, start

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
PRIVATE: dict[str, Any] = {"model__visibility": Model.Visibility.PRIVATE, "model__name": "echo"}


@pytest.fixture
def version(alice: Account) -> Version:
    """Of a private model of Alice's."""
    archive = default_storage.save("archives/a.tar.gz", ContentFile(b"archive"))
    return VersionFactory.create(model__account=alice, archive=archive, **PRIVATE)


def path_of(version: Version) -> str:
    return f"/v1/models/alice/echo/versions/{version.pk}"


def test_a_version_is_gone_at_once(api, version):
    body = {"version": version.pk, "input": {"text": "hi"}}
    assert api.post("/v1/predictions", body).status_code == 201
    answer = api.request("DELETE", path_of(version))
    assert (answer.status_code, answer.content) == (202, b"")
    assert api.get(path_of(version)).status_code == 404
    assert api.get("/v1/models/alice/echo/versions").json()["results"] == []
    assert api.get("/v1/models/alice/echo").json()["latest_version"] is None
    assert api.post("/v1/predictions", body).status_code == 422
    assert api.request("DELETE", path_of(version)).status_code == 404


def deploy(version: Version) -> None:
    deployment = Deployment.objects.create(account=version.model.account, name="prod")
    release = Release.objects.create(
        deployment=deployment, number=1, version=version, hardware="cpu", min_instances=0, max_instances=1
    )
    Deployment.objects.filter(pk=deployment.pk).update(current_release=release, serving_release=release)


def run_by_somebody_else(version: Version) -> None:
    prediction = make_prediction(version)
    Prediction.objects.filter(pk=prediction.pk).update(account=ModelFactory.create().account)


def train(version: Version) -> None:
    VersionFactory.create(base=version)


def publish(version: Version) -> None:
    Model.objects.filter(pk=version.model_id).update(visibility=Model.Visibility.PUBLIC)


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (deploy, "A deployment uses this version."),
        (run_by_somebody_else, "Somebody else has run this version."),
        (train, "This version is the base of a training."),
        (publish, "Versions of public models can't be deleted."),
    ],
)
def test_a_version_that_others_may_depend_on_stays(api, version, use, reason):
    use(version)
    answer = api.request("DELETE", path_of(version))
    assert (answer.status_code, answer.json()["detail"]) == (409, reason)
    assert answer.headers["x-should-retry"] == "false"
    assert api.get(path_of(version)).status_code == 200


def test_only_the_owner_deletes(stranger_api, version):
    for path in (path_of(version), "/v1/models/alice/echo"):
        assert stranger_api.request("DELETE", path).status_code == 404
        publish(version)
        assert stranger_api.request("DELETE", path).status_code == 403
        Model.objects.update(visibility=Model.Visibility.PRIVATE)


def test_predictions_of_a_deleted_version_lose_their_data_and_keep_what_they_cost(api, version):
    done = end(make_prediction(version), output="HI")
    waiting = make_prediction(version)
    file = StoredFile.objects.create(
        account=version.model.account, kind="output", prediction_id=done.pk, name="a", content_type="text/plain", size=1
    )
    api.request("DELETE", path_of(version))
    while deletion.remove_remains(now=NOW):
        pass
    shown = api.get(f"/v1/predictions/{done.pk}").json()
    assert (shown["data_removed"], shown["input"], shown["output"]) == (True, {}, None)
    assert shown["metrics"] == done.metrics
    assert Prediction.objects.get(pk=waiting.pk).status == Status.CANCELED
    assert not StoredFile.objects.filter(pk=file.pk, expires_at=None).exists()
    assert not default_storage.exists(version.archive)


def test_what_waits_or_runs_is_canceled_before_its_instance_is_told_to_stop(api, version):
    waiting, running = make_prediction(version), make_prediction(version)
    start(running)
    api.request("DELETE", path_of(version))
    for prediction in (waiting, running):
        assert api.get(f"/v1/predictions/{prediction.pk}").json()["status"] == "canceled"


def test_examples_of_a_deleted_version_are_no_longer_shown(api, version):
    other = VersionFactory.create(model=version.model)
    shown = {one.pk: end(make_prediction(one)) for one in (version, other)}
    for prediction in shown.values():
        save_example(version.model, api.get(f"/v1/predictions/{prediction.pk}").json())
    api.request("DELETE", path_of(version))
    left = api.get("/v1/models/alice/echo/examples").json()["results"]
    assert [one["id"] for one in left] == [shown[other.pk].pk]
    assert api.get("/v1/models/alice/echo").json()["default_example"]["id"] == shown[other.pk].pk


def test_removing_goes_on_where_a_dead_worker_stopped(api, version):
    api.request("DELETE", path_of(version))
    Version.objects.filter(pk=version.pk).update(archive="")  # it died before it removed the content
    make_prediction_of_deleted = end(_undeleted_prediction(version))
    assert deletion.remove_remains(now=NOW) == 1
    assert Prediction.objects.get(pk=make_prediction_of_deleted.pk).data_removed
    assert deletion.remove_remains(now=NOW) == 0


def _undeleted_prediction(version: Version) -> Prediction:
    Version.objects.filter(pk=version.pk).update(deleted_at=None)
    prediction = make_prediction(version)
    Version.objects.filter(pk=version.pk).update(deleted_at=NOW)
    return prediction


def test_environment_and_weights_go_when_no_instance_uses_it(api, version, settings, tmp_path):
    settings.ENVIRONMENTS_DIR, settings.WEIGHTS_DIR = tmp_path / "environments", tmp_path / "weights"
    folders: list[Path] = [parent / version.pk for parent in (settings.ENVIRONMENTS_DIR, settings.WEIGHTS_DIR)]
    for folder in folders:
        folder.mkdir(parents=True)
    assert deletion.unneeded_folders() == []
    api.request("DELETE", path_of(version))
    assert deletion.unneeded_folders() == folders


def test_a_model_without_versions_is_deleted_and_its_name_is_free(api, version):
    refused = api.request("DELETE", "/v1/models/alice/echo")
    assert (refused.status_code, refused.json()["detail"]) == (409, "Delete the model's versions first.")
    api.request("DELETE", path_of(version))
    answer = api.request("DELETE", "/v1/models/alice/echo")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get("/v1/models/alice/echo").status_code == 404
    new = {"owner": "alice", "name": "echo", "visibility": "private", "hardware": "cpu"}
    assert api.post("/v1/models", new).status_code == 201
    assert api.post("/v1/models", new).status_code == 409


def test_a_deleted_model_is_no_destination_of_a_training(api, alice):
    trainer = VersionFactory.create(
        model__account=alice, openapi_schema=schema(TrainingInput={"type": "object", "properties": {}})
    )
    ModelFactory.create(account=alice, name="mine", deleted_at=NOW)
    path = f"/v1/models/{trainer.model.full_name}/versions/{trainer.pk}/trainings"
    body = {"destination": "alice/mine", "input": {}}
    assert api.post(path, body).json()["detail"] == "The specified training destination does not exist"
    ModelFactory.create(account=alice, name="mine")
    assert api.post(path, body).status_code == 201


def test_a_public_model_is_not_deleted(api, alice):
    ModelFactory.create(account=alice, name="echo")
    assert api.request("DELETE", "/v1/models/alice/echo").status_code == 409


def test_what_was_deleted_may_be_submitted_again(version):
    Version.objects.filter(pk=version.pk).update(deleted_at=NOW)
    again = publishing._write_submitted(caller_of(version.model.account), version.model, version.pk, "archives/new")
    assert (again.status, again.deleted_at, again.archive) == (Version.Status.SUBMITTED, None, "archives/new")
    assert again.created_at > version.created_at


def test_nothing_is_submitted_to_a_model_that_was_deleted_meanwhile(version):
    Model.objects.filter(pk=version.model_id).update(deleted_at=NOW)
    key = default_storage.save("archives/late.tar.gz", ContentFile(b"archive"))
    with pytest.raises(NotFound):
        publishing._write_submitted(caller_of(version.model.account), version.model, "a" * 64, key)
    assert not default_storage.exists(key)
    assert not Version.objects.filter(pk="a" * 64).exists()
