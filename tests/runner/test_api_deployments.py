"""Deployments over the API: create, change, roll back, delete, run."""

import datetime
from typing import Any

import pytest
from django.utils import timezone

from models_catalog.models import Version
from runner import deployment_targets
from runner.models import Deployment, Instance, LoggedEvent, Prediction
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import make_instance


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    deployment_targets.forget()


@pytest.fixture
def version(alice: Any) -> Version:
    return VersionFactory.create(model__account=alice, model__name="echo", model__visibility="private")


@pytest.fixture
def newer(version: Version) -> Version:
    return VersionFactory.create(model=version.model)


def wanted(deployed: Version, /, **members: Any) -> dict[str, Any]:
    defaults = {
        "name": "prod",
        "model": deployed.model.full_name,
        "version": deployed.pk,
        "hardware": "cpu-small",
        "min_instances": 0,
        "max_instances": 3,
    }
    return {**defaults, **members}


@pytest.fixture
def deployment(api: Any, version: Version) -> Deployment:
    assert api.post("/v1/deployments", wanted(version)).status_code == 200
    return Deployment.objects.get()


def patch(api: Any, changes: dict[str, Any]) -> Any:
    import orjson

    return api.request("PATCH", "/v1/deployments/alice/prod", content=orjson.dumps(changes))


def test_a_new_deployment_has_release_1_with_its_creator_and_configuration(api: Any, version: Version) -> None:
    answer = api.post("/v1/deployments", wanted(version, min_instances=1))
    assert answer.status_code == 200
    document = answer.json()
    release = document["current_release"]
    assert (document["owner"], document["name"]) == ("alice", "prod")
    assert (release["number"], release["model"], release["version"]) == (1, "alice/echo", version.pk)
    assert release["configuration"] == {"hardware": "cpu-small", "min_instances": 1, "max_instances": 3}
    assert (release["created_by"]["username"], release["created_by"]["name"]) == ("alice", "alice")
    assert document["rollout"] == {"status": "complete", "serving_release": 1, "error": None}
    assert api.get("/v1/deployments/alice/PROD").json() == document
    assert api.get("/v1/deployments").json() == {"next": None, "previous": None, "results": [document]}


@pytest.mark.parametrize(
    ("members", "pointers"),
    [
        ({"hardware": "gpu-x9"}, ["/hardware"]),
        ({"min_instances": 3, "max_instances": 2}, ["/max_instances"]),
        ({"min_instances": 6, "max_instances": 7}, ["/min_instances"]),
        ({"max_instances": 21}, ["/max_instances"]),
        ({"min_instances": -1}, ["/min_instances"]),
        ({"min_instances": True}, ["/min_instances"]),
        ({"max_instances": "3"}, ["/max_instances"]),
        ({"name": "Not A Slug"}, ["/name"]),
        ({"name": None, "version": "", "max_instances": None}, ["/max_instances", "/name", "/version"]),
        ({"model": "alice/nothing"}, ["/model"]),
        ({"model": 7}, ["/model"]),
        ({"version": "0" * 64}, ["/version"]),
        ({"version": "alice/other:" + "0" * 64}, ["/version"]),
    ],
)
def test_wrong_members_are_named(api: Any, version: Version, members: dict[str, Any], pointers: list[str]) -> None:
    answer = api.post("/v1/deployments", wanted(version, **members))
    assert answer.status_code == 400
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == pointers
    assert answer.json()["detail"].startswith("The following errors occurred:\n- ")
    assert not Deployment.objects.exists()


def test_the_version_may_come_with_its_models_name(api: Any, version: Version) -> None:
    answer = api.post("/v1/deployments", wanted(version, version=f"alice/echo:{version.pk.upper()}"))
    assert answer.json()["current_release"]["version"] == version.pk


def test_a_name_is_taken_within_its_account_only(
    api: Any, stranger_api: Any, deployment: Deployment, version: Version
) -> None:
    answer = api.post("/v1/deployments", wanted(version))
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    public = VersionFactory.create()
    assert stranger_api.post("/v1/deployments", wanted(public)).status_code == 200


def test_somebody_elses_private_model_can_not_be_deployed(stranger_api: Any, version: Version) -> None:
    hidden = stranger_api.post("/v1/deployments", wanted(version))
    missing = stranger_api.post("/v1/deployments", wanted(version, model="alice/nothing"))
    assert hidden.status_code == 400
    assert hidden.json() == missing.json()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/releases"), ("POST", "/rollback"), ("POST", "/predictions")],
)
def test_a_stranger_can_not_tell_it_from_a_missing_one(
    stranger_api: Any, deployment: Deployment, method: str, path: str
) -> None:
    body = b'{"input": {"text": "hi"}}' if path == "/predictions" else b""
    there = stranger_api.request(method, f"/v1/deployments/alice/prod{path}", content=body)
    missing = stranger_api.request(method, f"/v1/deployments/alice/nothing{path}", content=body)
    assert there.status_code == 404
    assert there.json() == missing.json()


def test_a_change_makes_a_release_and_no_change_makes_none(api: Any, deployment: Deployment) -> None:
    first = patch(api, {"max_instances": 4}).json()["current_release"]
    assert (first["number"], first["configuration"]["max_instances"]) == (2, 4)
    for nothing in ({}, {"max_instances": 4}, {"hardware": None}, {"model": "alice/echo"}):
        answer = patch(api, nothing)
        assert (answer.status_code, answer.json()["current_release"]) == (200, first)
    assert api.request("PATCH", "/v1/deployments/alice/prod").json()["current_release"] == first


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"min_instances": 4}, "/max_instances"), ({"model": "alice/other"}, "/model"), ({"version": "abc"}, "/version")],
)
def test_a_change_that_does_not_fit_is_refused(
    api: Any, deployment: Deployment, changes: dict[str, Any], pointer: str
) -> None:
    answer = patch(api, changes)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert deployment.releases.count() == 1


def test_predictions_run_on_the_releases_version_and_hardware(api: Any, deployment: Deployment) -> None:
    answer = api.post("/v1/deployments/alice/prod/predictions", {"input": {"text": "hi"}})
    assert answer.status_code == 201
    document = answer.json()
    release = deployment.current_release
    assert release is not None
    assert (document["deployment"], document["model"]) == ("alice/prod", "alice/echo")
    assert document["version"] == release.version_id
    prediction = Prediction.objects.get(pk=document["id"])
    assert prediction.pool == release.pool
    assert prediction.hardware == "cpu-small" != release.version.model.hardware
    assert api.get(f"/v1/predictions/{document['id']}").json()["deployment"] == "alice/prod"


def test_a_deployment_without_instances_is_disabled(api: Any, deployment: Deployment) -> None:
    patch(api, {"max_instances": 0})
    answer = api.post("/v1/deployments/alice/prod/predictions", {"input": {"text": "hi"}})
    assert (answer.status_code, answer.json()) == (
        422,
        {"title": "Deployment disabled", "detail": "This deployment has no instances", "status": 422},
    )


def test_a_new_version_serves_at_once_where_nothing_runs(api: Any, deployment: Deployment, newer: Version) -> None:
    assert patch(api, {"version": newer.pk}).json()["rollout"]["serving_release"] == 2
    answer = api.post("/v1/deployments/alice/prod/predictions", {"input": {"text": "hi"}})
    assert answer.json()["version"] == newer.pk


def test_while_instances_run_the_release_before_answers_on(
    api: Any, deployment: Deployment, version: Version, newer: Version
) -> None:
    make_instance(deployment.current_release.pool, state="ready")  # type: ignore[union-attr]
    document = patch(api, {"version": newer.pk}).json()
    assert document["current_release"]["version"] == newer.pk
    assert document["rollout"] == {"status": "rolling", "serving_release": 1, "error": None}
    answer = api.post("/v1/deployments/alice/prod/predictions", {"input": {"text": "hi"}})
    assert answer.json()["version"] == version.pk
    assert patch(api, {"version": version.pk}).json()["rollout"] == {
        "status": "complete",
        "serving_release": 3,
        "error": None,
    }


def test_other_numbers_need_no_other_instances(api: Any, deployment: Deployment) -> None:
    make_instance(deployment.current_release.pool, state="ready")  # type: ignore[union-attr]
    assert patch(api, {"min_instances": 1}).json()["rollout"]["status"] == "complete"


def test_rolling_back_makes_a_release_like_the_one_before_or_any(
    api: Any, deployment: Deployment, version: Version, newer: Version
) -> None:
    path = "/v1/deployments/alice/prod/rollback"
    assert api.post(path, {}).status_code == 409
    patch(api, {"version": newer.pk})
    patch(api, {"max_instances": 9})
    back = api.post(path, {}).json()["current_release"]
    assert (back["number"], back["version"], back["configuration"]["max_instances"]) == (4, newer.pk, 3)
    to_first = api.post(path, {"release": 1}).json()["current_release"]
    assert (to_first["number"], to_first["version"]) == (5, version.pk)
    assert api.post(path, {"release": 99}).json()["errors"][0]["pointer"] == "/release"
    assert api.post(path, {"release": "1"}).status_code == 400
    releases = api.get("/v1/deployments/alice/prod/releases").json()["results"]
    assert [release["number"] for release in releases] == [5, 4, 3, 2, 1]


def test_one_that_was_never_used_may_be_deleted(api: Any, deployment: Deployment) -> None:
    instance = make_instance(deployment.current_release.pool, state="ready")  # type: ignore[union-attr]
    assert api.request("DELETE", "/v1/deployments/alice/prod").status_code == 204
    assert api.get("/v1/deployments/alice/prod").status_code == 404
    assert Instance.objects.get(pk=instance.pk).deployment is None


def test_one_in_use_may_be_deleted_15_minutes_later(api: Any, deployment: Deployment) -> None:
    made = api.post("/v1/deployments/alice/prod/predictions", {"input": {"text": "hi"}}).json()
    instance = make_instance(deployment.current_release.pool, state="ready")  # type: ignore[union-attr]
    before, lately = timezone.now() - datetime.timedelta(minutes=16), timezone.now() - datetime.timedelta(minutes=14)

    def refused() -> bool:
        return api.request("DELETE", "/v1/deployments/alice/prod").status_code == 409

    prediction = Prediction.objects.filter(pk=made["id"])
    assert refused()
    prediction.update(created_at=before, completed_at=lately, status="canceled")
    assert refused()
    prediction.update(completed_at=before)
    assert refused()
    Instance.objects.filter(pk=instance.pk).update(state="stopped", stopped_at=lately)
    assert refused()
    Instance.objects.filter(pk=instance.pk).update(stopped_at=before)
    assert not refused()
    assert api.get(f"/v1/predictions/{made['id']}").json()["deployment"] == "alice/prod"


def test_a_prediction_for_one_that_was_deleted_since_it_was_looked_up_finds_nothing(
    api: Any, deployment: Deployment
) -> None:
    path = "/v1/deployments/alice/prod/predictions"
    assert api.post(path, {"input": {}}).status_code == 422  # looked up, nothing made
    remembered = dict(deployment_targets._cache)
    assert api.request("DELETE", "/v1/deployments/alice/prod").status_code == 204
    deployment_targets._cache.update(remembered)
    assert api.post(path, {"input": {"text": "hi"}}).status_code == 404


def test_changes_are_in_the_event_log(api: Any, deployment: Deployment) -> None:
    patch(api, {"max_instances": 4})
    api.request("DELETE", "/v1/deployments/alice/prod")
    events = LoggedEvent.objects.filter(subject="deployment/alice/prod").order_by("id")
    assert list(events.values_list("type", "data__release")) == [
        ("deployment.created", 1),
        ("deployment.updated", 2),
        ("deployment.deleted", None),
    ]


@pytest.mark.parametrize("member", ["name", "model", "version", "hardware"])
@pytest.mark.parametrize(
    "value", ["\0", "alice/\0", "x" * 100_000, "é/ü:ß"], ids=["nul", "inner nul", "long", "foreign"]
)
def test_strange_text_is_refused_not_a_defect(api: Any, version: Version, member: str, value: str) -> None:
    answer = api.post("/v1/deployments", wanted(version, **{member: value}))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == f"/{member}"
