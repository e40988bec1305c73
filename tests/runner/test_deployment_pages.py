"""The pages of deployments."""

from typing import Any

import pytest

from models_catalog.models import Version
from runner import deployments
from runner.deployment_fields import NewDeployment, ReleaseChanges
from runner.models import Deployment, Prediction, Release
from tests.models_catalog.factories import VersionFactory
from tests.plugins.people import Person
from tests.runner.factories import end, make_instance, make_prediction

PAGE = "/account/deployments/prod"


@pytest.fixture
def version(alice_at_home: Person) -> Version:
    return VersionFactory.create(model__account=alice_at_home.account, model__name="echo", model__hardware="cpu-small")


@pytest.fixture
def deployment(alice_at_home: Person, version: Version) -> Deployment:
    new = NewDeployment("prod", "alice/echo", version.pk, "cpu-small", 0, 2)
    return deployments.create(alice_at_home.caller, new)


def sent(version: Version, **members: Any) -> dict[str, Any]:
    return {"version": version.pk, "hardware": "cpu-small", "min_instances": 0, "max_instances": 2, **members}


def now(deployment: Deployment) -> Release:
    found = Deployment.objects.get(pk=deployment.pk).current_release
    assert found is not None
    return found


def test_a_models_page_leads_to_its_deployment(alice_at_home: Person, version: Version) -> None:
    assert 'href="/alice/echo/deploy"' in alice_at_home.get("/alice/echo").content.decode()
    page = alice_at_home.get("/alice/echo/deploy").content.decode()
    assert version.pk[:12] in page
    made = alice_at_home.post("/alice/echo/deploy", sent(version, name="prod", min_instances=1), follow=True)
    assert "alice/prod is made." in made.content.decode()
    assert "prod" in alice_at_home.get("/account/deployments").content.decode()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "Not A Slug"}, "Use lower-case letters"),
        ({"name": "prod"}, "A deployment with that name already exists."),
        ({"min_instances": 2, "max_instances": 1}, "Must be at least min_instances, which is 2."),
        ({"max_instances": 21}, "less than or equal to 20"),
    ],
)
def test_mistakes_are_told_beside_their_field(
    alice_at_home: Person, deployment: Deployment, version: Version, members: dict[str, Any], words: str
) -> None:
    answer = alice_at_home.post("/alice/echo/deploy", sent(version, **{"name": "other", **members}))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Deployment.objects.count() == 1


def test_its_page_shows_instances_releases_and_changes_it(
    alice_at_home: Person, deployment: Deployment, version: Version
) -> None:
    instance = make_instance(now(deployment).pool, state="busy")
    page = alice_at_home.get(PAGE).content.decode()
    assert instance.pk[:8] in page
    assert "1 up" in page
    changed = alice_at_home.post(PAGE, sent(version, max_instances=5), follow=True).content.decode()
    assert "Release 2 is made." in changed
    assert "Roll back to 1" in changed
    assert "Nothing changed." in alice_at_home.post(PAGE, sent(version, max_instances=5), follow=True).content.decode()
    alice_at_home.post(f"{PAGE}/releases/1")
    assert (now(deployment).number, now(deployment).max_instances) == (3, 2)


def test_a_roll_and_its_failure_are_told(alice_at_home: Person, deployment: Deployment, version: Version) -> None:
    make_instance(now(deployment).pool, state="ready")
    newer = VersionFactory.create(model=version.model)
    deployments.update(alice_at_home.caller, "alice", "prod", ReleaseChanges(version=newer.pk))
    assert "release 1 answers meanwhile" in alice_at_home.get(PAGE).content.decode()
    Release.objects.filter(pk=now(deployment).pk).update(error="ModuleNotFoundError: <torch>")
    page = alice_at_home.get(PAGE).content.decode()
    assert "can&#x27;t be set up" in page or "can't be set up" in page
    assert "ModuleNotFoundError: &lt;torch&gt;" in page


def test_it_is_deleted_after_being_asked_and_not_while_in_use(
    alice_at_home: Person, deployment: Deployment, version: Version
) -> None:
    ran = end(make_prediction(version))
    Prediction.objects.filter(pk=ran.pk).update(deployment=deployment)
    refused = alice_at_home.post(f"{PAGE}/delete", follow=True).content.decode()
    assert "offline and unused for 15 minutes" in refused
    Prediction.objects.filter(pk=ran.pk).update(deployment=None)
    assert "alice/prod is deleted." in alice_at_home.post(f"{PAGE}/delete", follow=True).content.decode()


def test_a_stranger_finds_none_of_it(stranger_at_home: Person, deployment: Deployment, visitor: Any) -> None:
    assert stranger_at_home.get(PAGE).status_code == 404
    assert stranger_at_home.post(f"{PAGE}/delete").status_code == 404
    assert stranger_at_home.post(f"{PAGE}/releases/1").status_code == 404
    assert "prod" not in stranger_at_home.get("/account/deployments").content.decode()
    assert visitor.get(PAGE).status_code == 302


def test_a_list_of_many_costs_as_many_queries_as_of_one(
    alice_at_home: Person, deployment: Deployment, version: Version, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        alice_at_home.get("/account/deployments")
    for name in ("a", "b", "c"):
        deployments.create(alice_at_home.caller, NewDeployment(name, "alice/echo", version.pk, "cpu-small", 0, 2))
    with django_assert_num_queries(len(one)):
        alice_at_home.get("/account/deployments")
