"""Versions that only their model's owner sees, though the model be public; and deleted ones, which nobody sees."""

import datetime

import pytest

from accounts.models import Account
from models_catalog import lookup
from models_catalog.models import Model, Version
from tests.models_catalog.factories import VersionFactory
from tests.plugins.api_client import ApiClient

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


@pytest.fixture
def shared(alice: Account) -> Version:
    return VersionFactory.create(model__account=alice, model__name="echo")


@pytest.fixture
def private(shared: Version) -> Version:
    return VersionFactory.create(model=shared.model, is_private=True, latest=False)


def versions_seen(api: ApiClient) -> list[str]:
    return [one["id"] for one in api.get("/v1/models/alice/echo/versions").json()["results"]]


def test_the_owner_lists_and_reads_a_private_version(api, shared, private):
    assert versions_seen(api) == [private.pk, shared.pk]
    assert api.get(f"/v1/models/alice/echo/versions/{private.pk}").status_code == 200


def test_a_stranger_cannot_tell_a_private_version_from_a_missing_one(stranger_api, shared, private):
    assert versions_seen(stranger_api) == [shared.pk]
    hidden, missing = (
        stranger_api.get(f"/v1/models/alice/echo/versions/{version_id}") for version_id in (private.pk, "0" * 64)
    )
    assert (hidden.status_code, hidden.json()) == (missing.status_code, missing.json()) == (404, missing.json())


def test_only_the_owner_runs_a_private_version(api, stranger_api, private):
    body = {"version": private.pk, "input": {"text": "hi"}}
    assert api.post("/v1/predictions", body).status_code == 201
    refused = stranger_api.post("/v1/predictions", body)
    assert (refused.status_code, refused.json()["title"]) == (422, "Invalid version or not permitted")


@pytest.mark.parametrize(
    ("visibility", "is_newest"), [(Model.Visibility.PUBLIC, False), (Model.Visibility.PRIVATE, True)]
)
def test_a_private_version_is_the_newest_of_a_private_model_only(shared, private, visibility, is_newest):
    shared.model.visibility = visibility
    assert lookup.newest_version(shared.model) == (private if is_newest else shared)


def test_nobody_sees_or_runs_a_deleted_version(api, shared, private):
    Version.objects.filter(pk=private.pk).update(deleted_at=NOW)
    assert versions_seen(api) == [shared.pk]
    assert api.post("/v1/predictions", {"version": private.pk, "input": {"text": "hi"}}).status_code == 422


@pytest.mark.parametrize("tab", ["versions", "versions/{id}"])
def test_pages_show_a_private_version_to_its_owner_alone(alice_at_home, stranger_at_home, tab):
    version = VersionFactory.create(model__account=alice_at_home.account, model__name="echo")
    private = VersionFactory.create(model=version.model, is_private=True, latest=False)
    path = f"/alice/echo/{tab.format(id=private.pk)}"
    assert private.pk[:12] in alice_at_home.get(path).content.decode()
    assert private.pk[:12] not in stranger_at_home.get(path).content.decode()


@pytest.mark.parametrize("tab", ["", "/api", "/examples"])
def test_a_public_model_with_private_versions_only_is_shown_with_the_newest_to_its_owner(
    alice_at_home, stranger_at_home, tab
):
    private = VersionFactory.create(
        model__account=alice_at_home.account, model__name="echo", is_private=True, latest=False
    )
    mine, theirs = (who.get(f"/alice/echo{tab}") for who in (alice_at_home, stranger_at_home))
    assert (mine.status_code, theirs.status_code) == (200, 200)
    assert private.pk not in theirs.content.decode()
    assert (private.pk in mine.content.decode()) == (tab != "/examples")
