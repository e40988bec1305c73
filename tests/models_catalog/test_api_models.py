"""What creating and changing models accepts, how the list goes on, and what two versions differ in, over the API."""

import pytest

from models_catalog import publishing
from models_catalog.api import ExamplePages
from models_catalog.examples import save_example
from models_catalog.models import Model
from tests.models_catalog.factories import ModelFactory, VersionFactory, schema
from tests.runner.factories import end, make_prediction

NEW = {"owner": "alice", "name": "new", "visibility": "private", "hardware": "cpu"}
LINKS = ("github_url", "paper_url", "license_url", "cover_image_url")


def names(answer):
    return [model["name"] for model in answer.json()["results"]]


def pointers(answer):
    assert (answer.status_code, answer.json()["title"]) == (400, "Validation failed")
    return [error["pointer"] for error in answer.json()["errors"]]


def test_every_member_of_a_new_model_is_kept(api):
    texts = {name: f"https://example.com/{name}" for name in LINKS} | {"description": "Says it"}
    document = api.post("/v1/models", NEW | texts | {"weights": "ignored"}).json()
    assert document.items() >= (NEW | texts).items() - {("hardware", "cpu")}


def test_null_is_nothing_in_a_new_model(api):
    document = api.post("/v1/models", NEW | dict.fromkeys((*LINKS, "description"))).json()
    assert [document[name] for name in (*LINKS, "description")] == [None] * 5


WRONG = {
    "nothing": ({}, ["/owner", "/name", "/visibility", "/hardware"]),
    "null": (NEW | {"name": None}, ["/name"]),
    "two_at_once": (NEW | {"name": None, "visibility": "secret"}, ["/name", "/visibility"]),
    "hardware": (NEW | {"hardware": "gpu-x9"}, ["/hardware"]),
    "capitals": (NEW | {"name": "New"}, ["/name"]),
    "double_dot": (NEW | {"name": "a..b"}, ["/name"]),
    "long_name": (NEW | {"name": "x" * 101}, ["/name"]),
    "number": (NEW | {"name": 5}, ["/name"]),
    "link": (NEW | {"github_url": "javascript:alert(1)"}, ["/github_url"]),
    "ftp": (NEW | {"cover_image_url": "ftp://example.com/x.png"}, ["/cover_image_url"]),
    "long_link": (NEW | {"paper_url": "https://example.com/" + "x" * 500}, ["/paper_url"]),
    "long_text": (NEW | {"description": "x" * 1001}, ["/description"]),
    "character_that_no_text_has": (NEW | {"description": "a\0b"}, ["/description"]),
    "the_same_in_a_name": (NEW | {"owner": "ali\0ce"}, ["/owner"]),
}


@pytest.mark.parametrize(("body", "wrong"), WRONG.values(), ids=WRONG)
def test_all_mistakes_of_a_new_model_are_named(api, body, wrong):
    assert pointers(api.post("/v1/models", body)) == wrong
    assert not Model.objects.exists()


WRONG_CHANGES = {
    "number": ({"description": 5}, ["/description"]),
    "link": ({"weights_url": "weights.bin", "paper_url": "x"}, ["/paper_url", "/weights_url"]),
    "long_readme": ({"readme": "x" * 200_001}, ["/readme"]),
    "character_that_no_text_has": ({"readme": "a\0b"}, ["/readme"]),
}


@pytest.mark.parametrize(("changes", "wrong"), WRONG_CHANGES.values(), ids=WRONG_CHANGES)
def test_all_mistakes_of_a_change_are_named_and_nothing_is_changed(api, alice, changes, wrong):
    ModelFactory.create(account=alice, name="echo", description="old")
    assert pointers(api.request("PATCH", "/v1/models/alice/echo", json=changes)) == wrong
    assert api.get("/v1/models/alice/echo").json()["description"] == "old"


def test_null_clears_each_text_and_other_members_are_ignored(api, alice):
    texts = ("description", "github_url", "paper_url", "weights_url", "license_url")
    values = dict.fromkeys(texts, "https://example.com/x") | {"readme": "# Echo"}
    ModelFactory.create(account=alice, name="echo", cover_image_url="https://example.com/cover.png")
    path = "/v1/models/alice/echo"
    assert api.request("PATCH", path, json=values | {"visibility": "private"}).json()["visibility"] == "public"
    document = api.request("PATCH", path, json=dict.fromkeys(values)).json()
    assert [document[name] for name in texts] == [None] * 5
    assert document["cover_image_url"] == "https://example.com/cover.png"
    assert api.get(f"{path}/readme").status_code == 404


def test_an_account_has_at_most_its_thousand_models(api, alice, monkeypatch):
    monkeypatch.setattr(publishing, "MOST_MODELS", 1)
    assert api.post("/v1/models", NEW).status_code == 201
    answer = api.post("/v1/models", NEW | {"name": "second"})
    assert (answer.status_code, answer.json()["title"]) == (409, "Conflict")


@pytest.mark.parametrize("direction", ["desc", "asc"])
def test_models_without_a_version_are_last_either_way(api, alice, direction):
    for name in ("bare-one", "bare-two"):
        ModelFactory.create(account=alice, name=name)
    VersionFactory.create(model__account=alice, model__name="echo")
    shown = names(api.get(f"/v1/models?sort_by=latest_version_created_at&sort_direction={direction}"))
    assert shown == ["echo", *(["bare-two", "bare-one"] if direction == "desc" else ["bare-one", "bare-two"])]


def test_pages_of_models_without_a_version_lose_and_repeat_none(api, alice):
    for number in range(60):
        ModelFactory.create(account=alice, name=f"bare-{number}")
    page = api.get("/v1/models")
    seen = names(page)
    while page.json()["next"]:
        page = api.get(page.json()["next"])
        seen += names(page)
    assert (len(seen), len(set(seen))) == (60, 60)
    back = api.get(page.json()["previous"])
    assert names(back) == seen[25:50]


@pytest.mark.parametrize("cursor", ["abc", "cD1ub3RhZGF0ZQ==", "%E2%82%AC", "cD0%3D%3D%3D", "cD0yMDI2"])
def test_a_cursor_that_somebody_made_up_is_not_found(api, alice, cursor):
    ModelFactory.create(account=alice)
    answer = api.get(f"/v1/models?cursor={cursor}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid cursor", "status": 404})


@pytest.mark.parametrize("query", ["sort_by=name", "sort_direction=up"])
def test_a_wrong_sort_is_named(api, query):
    assert pointers(api.get(f"/v1/models?{query}")) == [f"?{query.partition('=')[0]}"]


@pytest.mark.parametrize("path", ["models/a%00b/c", "models/alice/a%00b", "collections/a%00b"])
def test_names_that_no_text_can_be_are_not_found(api, path):
    assert api.get(f"/v1/{path}").status_code == 404


@pytest.mark.parametrize("size", [100, 2], ids=["one page", "two pages"])
def test_the_default_example_comes_first_then_the_newest(api, alice, monkeypatch, size):
    monkeypatch.setattr(ExamplePages, "page_size", size)
    version = VersionFactory.create(model__account=alice, model__name="echo")
    documents = [
        api.get(f"/v1/predictions/{end(make_prediction(version), output=text).pk}").json() for text in ("A", "B", "C")
    ]
    for document in documents:
        save_example(version.model, document)
    page = api.get("/v1/models/alice/echo/examples").json()
    seen = page["results"] + (api.get(page["next"]).json()["results"] if page["next"] else [])
    assert seen == [documents[0], documents[2], documents[1]]
    assert api.get("/v1/models/alice/echo").json()["default_example"] == documents[0]


@pytest.fixture
def versions(alice):
    before = schema({"text": {"type": "string"}, "repeat": {"type": "integer", "default": 1, "maximum": 9}})
    after = schema({"text": {"type": "string"}, "repeat": {"type": "integer", "default": 1, "maximum": 5}})
    older = VersionFactory.create(model__account=alice, model__name="echo", openapi_schema=before)
    return older, VersionFactory.create(model=older.model, openapi_schema=after)


def compared(api, before, after):
    return api.get(f"/v1/models/alice/echo/versions/{before}/compare/{after}")


def test_two_versions_are_compared_input_by_input(api, versions):
    older, newer = versions
    sentence = "input.repeat: the maximum is 5 now (before: 9)."
    change = {
        "name": "repeat",
        "from": {"type": "integer", "default": 1, "maximum": 9},
        "to": {"type": "integer", "default": 1, "maximum": 5},
        "is_breaking": True,
    }
    assert compared(api, older.pk, newer.pk.upper()).json() == {
        "from": older.pk,
        "to": newer.pk,
        "inputs": {"added": [], "removed": [], "changed": [change]},
        "output": None,
        "is_breaking": True,
        "breaking": [sentence],
    }
    assert compared(api, newer.pk, older.pk).json()["is_breaking"] is False


def test_only_versions_of_the_model_that_one_may_see_are_compared(api, stranger_api, versions):
    older, newer = versions
    other = VersionFactory.create()
    for pair in ((older.pk, other.pk), (other.pk, newer.pk), (older.pk, "0" * 64), ("latest", newer.pk)):
        assert compared(api, *pair).status_code == 404
    assert compared(stranger_api, older.pk, newer.pk).status_code == 200
    type(newer).objects.filter(pk=newer.pk).update(is_private=True)
    assert compared(stranger_api, older.pk, newer.pk).status_code == 404
    assert compared(api, older.pk, newer.pk).status_code == 200
