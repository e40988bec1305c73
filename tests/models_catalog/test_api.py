"""Models, versions and collections over the API, and search."""

import pytest

from models_catalog.models import Collection, Example, Model
from models_catalog.search import search
from tests.models_catalog.factories import ModelFactory, VersionFactory
from tests.runner.factories import end, make_prediction

PAGE = 25


def names(answer):
    return [model["name"] for model in answer.json()["results"]]


def test_a_model_is_shown_complete(api, alice, golden):
    version = VersionFactory.create(model__account=alice, model__name="echo", model__description="Repeats")
    prediction = end(make_prediction(version), output="HI")
    shown = api.get(f"/v1/predictions/{prediction.pk}").json()
    del shown["billing"]  # its owner's business alone
    Example.objects.create(model=version.model, prediction_id=prediction.pk, prediction=shown)
    golden("model", api.get("/v1/models/Alice/ECHO").json())


def test_a_new_model_has_neither_version_nor_example(api):
    body = {"owner": "alice", "name": "new", "visibility": "private", "hardware": "cpu"}
    document = api.post("/v1/models", body).json()
    assert (document["latest_version"], document["default_example"], document["run_count"]) == (None, None, 0)


def test_the_list_has_public_models_newest_version_first(api, alice):
    ModelFactory.create(account=alice, name="bare")
    VersionFactory.create(model__account=alice, model__name="private", model__visibility="private")
    VersionFactory.create(model__account=alice, model__name="older")
    VersionFactory.create(model__account=alice, model__name="newer")
    assert names(api.get("/v1/models")) == ["newer", "older", "bare"]
    assert names(api.get("/v1/models?sort_by=model_created_at&sort_direction=asc")) == ["bare", "older", "newer"]


def test_pages_keep_the_sort_and_lose_nothing(api, alice):
    for number in range(PAGE + 2):
        VersionFactory.create(model__account=alice, model__name=f"model-{number:02}")
    first = api.get("/v1/models?sort_by=model_created_at&sort_direction=asc")
    assert "sort_direction=asc" in first.json()["next"]
    second = api.get(first.json()["next"])
    assert names(first) + names(second) == [f"model-{number:02}" for number in range(PAGE + 2)]
    assert second.json()["previous"] is not None


def test_a_page_costs_the_same_however_many_models_it_has(api, alice, django_assert_max_num_queries):
    from models_catalog.serializers import model_documents

    for _ in range(5):
        VersionFactory.create(model__account=alice)
    with django_assert_max_num_queries(2):
        assert len(model_documents(list(search("")))) == 5


def test_texts_and_links_are_changed_and_null_clears_them(api, alice):
    ModelFactory.create(account=alice, name="echo", github_url="https://example.com/x", description="old")
    changes = {"description": "new", "readme": "# Echo", "github_url": None}
    document = api.request("PATCH", "/v1/models/alice/echo", json=changes).json()
    assert (document["description"], document["github_url"]) == ("new", None)
    assert api.get("/v1/models/alice/echo/readme").text == "# Echo"
    for body in (b"", b"{}"):
        assert api.request("PATCH", "/v1/models/alice/echo", content=body).json() == document


def test_only_the_owner_changes_a_model(stranger_api, alice):
    ModelFactory.create(account=alice, name="echo")
    assert stranger_api.request("PATCH", "/v1/models/alice/echo", json={"description": "mine"}).status_code == 403


def test_versions_are_listed_newest_first_and_read_by_id(api, alice):
    older = VersionFactory.create(model__account=alice, model__name="echo")
    newer = VersionFactory.create(model=older.model)
    VersionFactory.create(model=older.model, status="failed", latest=False)
    listed = api.get("/v1/models/alice/echo/versions").json()["results"]
    assert [version["id"] for version in listed] == [newer.pk, older.pk]
    assert api.get(f"/v1/models/alice/echo/versions/{older.pk}").json() == listed[1]


def test_a_version_of_another_model_is_not_found(api, alice):
    other = VersionFactory.create(model__account=alice)
    ModelFactory.create(account=alice, name="echo")
    assert api.get(f"/v1/models/alice/echo/versions/{other.pk}").status_code == 404


def test_versions_of_an_official_model_are_read_but_not_listed(api, alice):
    version = VersionFactory.create(model__account=alice, model__name="echo", model__is_official=True)
    assert api.get("/v1/models/alice/echo/versions").status_code == 404
    assert api.get(f"/v1/models/alice/echo/versions/{version.pk}").status_code == 200
    assert api.get("/v1/models/alice/echo").json()["latest_version"]["id"] == version.pk


def test_collections_fit_one_page_and_hold_whole_models(api, alice):
    version = VersionFactory.create(model__account=alice, model__name="echo")
    collection = Collection.objects.create(slug="text-tools", name="Text tools", description="Small")
    collection.members.add(version.model)
    page = api.get("/v1/collections").json()
    assert page == {
        "next": None,
        "previous": None,
        "results": [{"name": "Text tools", "slug": "text-tools", "description": "Small"}],
    }
    assert api.get("/v1/collections/text-tools").json()["models"][0]["name"] == "echo"
    assert api.get("/v1/collections/nope").status_code == 404


@pytest.mark.parametrize(
    ("body", "content_type"),
    [("shout", "text/plain"), ('"shout"', "text/plain"), ('"shout"', "application/json"), ('{"query": "shout"}', "")],
)
def test_clients_ask_in_different_ways_and_find_the_same(api, alice, body, content_type):
    VersionFactory.create(model__account=alice, model__name="echo-shout")
    VersionFactory.create(model__account=alice, model__name="whisper")
    answer = api.request("QUERY", "/v1/models", content=body, headers={"Content-Type": content_type})
    assert names(answer) == ["echo-shout"]
    assert (answer.json()["next"], answer.json()["previous"]) == (None, None)


@pytest.fixture
def catalog(alice):
    texts = {
        "image-upscaler": ("Makes pictures larger", "", 5),
        "tiny-diffusion": ("Draws images from a prompt", "", 900),
        "whisper-small": ("Turns speech into text", "Transcribes recordings of people who are speaking.", 50),
        "reader": ("Reads text aloud", "Text to speech with many voices.", 7),
    }
    for name, (description, readme, runs) in texts.items():
        model = ModelFactory.create(account=alice, name=name, description=description, readme=readme, run_count=runs)
        VersionFactory.create(model=model)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("upscaler", "image-upscaler"),
        ("image", "image-upscaler"),
        ("drawing", "tiny-diffusion"),
        ("voices", "reader"),
        ("transcribe speaking", "whisper-small"),
        ("upscal", "image-upscaler"),
        ("whispr small", "whisper-small"),
        ("difusion", "tiny-diffusion"),
        ("alice/reader", "reader"),
        ("", "tiny-diffusion"),
    ],
)
def test_words_parts_and_typing_mistakes_find_the_model(catalog, text, first):
    assert [model.name for model in search(text)][:1] == [first]


@pytest.mark.parametrize("text", ["zebra", "' OR 1=1 --", "!!!", "a:*&|", "\x00", "\\", "%", "x" * 5000])
def test_what_fits_nothing_or_is_odd_breaks_nothing(catalog, text):
    list(search(text))


def test_private_and_hidden_models_are_never_found(api, catalog, alice):
    from django.utils import timezone

    Model.objects.filter(name="reader").update(visibility="private")
    Model.objects.filter(name="whisper-small").update(hidden_at=timezone.now())
    assert [model.name for model in search("speech")] == []


def test_of_equals_the_most_run_comes_first(alice):
    for name, runs in (("cat-one", 1), ("cat-two", 9)):
        VersionFactory.create(model=ModelFactory.create(account=alice, name=name, run_count=runs))
    assert [model.name for model in search("cat")] == ["cat-two", "cat-one"]
