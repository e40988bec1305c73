"""Checklist 47 and 95 to 97: deployments; and what goes beyond it: releases that roll.  Source: replicate-api.md 8."""

import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import replicate

from tests.plugins.live_site import COG_MODELS, LiveSite, archive_of, until

pytestmark = pytest.mark.contract
MISSING = {"detail": "The requested resource could not be found.", "status": 404}
_FORGET_USE = """
import datetime
from django.utils import timezone
from runner.models import Instance, Prediction
before = timezone.now() - datetime.timedelta(minutes=16)
Prediction.objects.filter(deployment__name={name!r}).update(created_at=before, completed_at=before)
Instance.objects.filter(deployment__name={name!r}, state__in=["stopped", "failed"]).update(stopped_at=before)
"""


@pytest.fixture
def deployed(live_site: LiveSite, echo: str) -> Iterator[str]:
    """`nina/prod` of the echo model, without instances until it is asked; gone afterwards."""
    live_site.request("POST", "/v1/deployments", json=wanted(echo)).raise_for_status()
    yield "/v1/deployments/nina/prod"
    remove(live_site, "prod")


def wanted(reference: str, **members):
    model, _, version = reference.partition(":")
    defaults = {"name": "prod", "hardware": "cpu-small", "min_instances": 0, "max_instances": 1}
    return {"model": model, "version": version, **defaults, **members}


def remove(site: LiveSite, name: str) -> None:
    """As its owner would, in less than 15 minutes."""
    path = f"/v1/deployments/nina/{name}"
    site.request("PATCH", path, json={"min_instances": 0, "max_instances": 0})
    for _ in until(60):
        site.run_python(_FORGET_USE.format(name=name))
        if site.request("DELETE", path).status_code in {204, 404}:
            return
        time.sleep(1)
    raise AssertionError("it is still in use")


def pointers(answer):
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert (body["title"], body["status"]) == ("Validation failed", 400)
    assert body["detail"].startswith("The following errors occurred:\n- ")
    return [error["pointer"] for error in body["errors"]]


def test_item_047_a_deployments_prediction_names_it_and_runs_its_releases_version(live_site, echo, deployed):
    asked = {"input": {"text": "hi"}}
    answer = live_site.request("POST", f"{deployed}/predictions", json=asked, headers={"Prefer": "wait"})
    assert answer.status_code == 201
    document = answer.json()
    assert (document["deployment"], document["status"], document["output"]) == ("nina/prod", "succeeded", "hi")
    assert f"{document['model']}:{document['version']}" == echo
    unknown = live_site.request("POST", "/v1/deployments/nina/nothing/predictions", json=asked)
    assert (unknown.status_code, unknown.json()) == (404, MISSING)


def test_item_095_create_answers_with_release_1_or_names_what_is_wrong(live_site, echo, deployed):
    document = live_site.request("GET", deployed).json()
    release = document["current_release"]
    assert (document["owner"], document["name"], release["number"]) == ("nina", "prod", 1)
    assert isinstance(release["created_by"]["name"], str)
    assert release["configuration"] == {"hardware": "cpu-small", "min_instances": 0, "max_instances": 1}
    mistakes: list[tuple[dict[str, Any], str]] = [
        ({"hardware": "gpu-x9"}, "/hardware"),
        ({"min_instances": 2, "max_instances": 1}, "/max_instances"),
        ({"min_instances": 6, "max_instances": 9}, "/min_instances"),
        ({"max_instances": 21}, "/max_instances"),
    ]
    for members, wrong in mistakes:
        refused = live_site.request("POST", "/v1/deployments", json=wanted(echo, name="other", **members))
        assert pointers(refused) == [wrong]
    again = live_site.request("POST", "/v1/deployments", json=wanted(echo))
    assert (again.status_code, again.json()["title"]) == (409, "Conflict")
    created = live_site.request("POST", "/v1/deployments", json=wanted(echo, name="second"))
    assert created.status_code == 200
    remove(live_site, "second")


def test_item_096_a_change_is_a_new_release_and_none_is_none(live_site, deployed):
    changed = live_site.request("PATCH", deployed, json={"max_instances": 2})
    assert changed.status_code == 200
    release = changed.json()["current_release"]
    assert (release["number"], release["configuration"]["max_instances"]) == (2, 2)
    same = live_site.request("PATCH", deployed, json={})
    assert (same.status_code, same.json()["current_release"]) == (200, release)


def test_item_097_one_that_is_unused_is_deleted_an_active_one_is_not(live_site, echo, deployed):
    live_site.request("POST", "/v1/deployments", json=wanted(echo, name="unused")).raise_for_status()
    path = "/v1/deployments/nina/unused"
    gone = live_site.request("DELETE", path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert live_site.request("GET", path).json() == MISSING
    live_site.request("POST", f"{deployed}/predictions", json={"input": {"text": "hi"}}).raise_for_status()
    active = live_site.request("DELETE", deployed)
    assert (active.status_code, active.headers["x-should-retry"]) == (409, "false")
    assert live_site.request("GET", deployed).status_code == 200


def test_the_official_client_creates_changes_runs_lists_and_deletes(live_site, client: replicate.Client, echo):
    model, _, version = echo.partition(":")
    made = client.deployments.create(
        name="by-client", model=model, version=version, hardware="cpu-small", min_instances=0, max_instances=1
    )
    assert made.current_release is not None
    assert (made.owner, made.name, made.current_release.number) == ("nina", "by-client", 1)
    changed = client.deployments.update("nina", "by-client", max_instances=2)
    assert changed.current_release is not None
    assert changed.current_release.number == 2
    found = client.deployments.get("nina/by-client")
    assert found.current_release is not None
    assert found.current_release.configuration.max_instances == 2
    assert "by-client" in [deployment.name for deployment in client.deployments.list()]
    prediction = found.predictions.create(input={"text": "hi"})
    prediction.wait()
    assert prediction.output == "hi"
    other = client.deployments.predictions.create("nina/by-client", input={"text": "ho"})
    other.wait()
    assert other.output == "ho"
    with pytest.raises(replicate.exceptions.ReplicateError, match="unused for 15 minutes"):
        client.deployments.delete("nina", "by-client")
    remove(live_site, "by-client")


def test_changes_of_version_under_load_fail_no_request_in_real_processes(live_site, echo):
    versions = [echo.partition(":")[2], second_version(live_site)]
    path = "/v1/deployments/nina/rolling"
    live_site.request("POST", "/v1/deployments", json=wanted(echo, name="rolling", min_instances=1)).raise_for_status()
    answers, stop = list[tuple[int, dict[str, Any]]](), threading.Event()

    def call() -> None:
        while not stop.is_set():
            answer = live_site.request(
                "POST", f"{path}/predictions", json={"input": {"text": "hi"}}, headers={"Prefer": "wait"}
            )
            answers.append((answer.status_code, answer.json()))
            time.sleep(0.2)  # a quick machine would come to the rate limit

    clients = [threading.Thread(target=call) for _ in range(3)]
    for thread in clients:
        thread.start()
    try:
        for turn in range(1, 5):
            live_site.request("PATCH", path, json={"version": versions[turn % 2]}).raise_for_status()
            wait_until_complete(live_site, path)
            time.sleep(turn * 2)  # the old ones drain after 5 s: some changes come before, some after
    finally:
        stop.set()
        for thread in clients:
            thread.join()
    assert set(Counter((status, document.get("status")) for status, document in answers)) == {(201, "succeeded")}
    assert {document["version"] for _, document in answers} == set(versions)
    remove(live_site, "rolling")


def second_version(site: LiveSite) -> str:
    """Another version of nina/echo: the same model with a comment more."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(COG_MODELS / "echo", Path(temporary) / "echo"))
        with open(folder / "predict.py", "a") as code:
            code.write("# The second version.\n")
        submitted = site.request("POST", "/v1/models/nina/echo/versions", content=archive_of(folder)).raise_for_status()
    version = str(submitted.json()["id"])
    for _ in until(300):
        if site.request("GET", f"/v1/models/nina/echo/versions/{version}").status_code == 200:
            return version
    raise AssertionError("the build did not end")


def wait_until_complete(site: LiveSite, path: str) -> None:
    for _ in until(60):
        if site.request("GET", path).json()["rollout"]["status"] == "complete":
            return
    raise AssertionError(site.request("GET", path).json())
