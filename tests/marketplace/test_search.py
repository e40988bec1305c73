"""`GET /v1/search`: models, collections and pages of documentation for one query."""

import pytest

from marketplace.documentation_index import find_pages
from models_catalog.models import Collection
from tests.models_catalog.factories import ModelFactory, VersionFactory


@pytest.fixture
def echo(alice):
    model = ModelFactory.create(account=alice, name="echo-shout", description="Repeats text loudly", run_count=9)
    VersionFactory.create(model=model)
    return model


@pytest.fixture
def text_tools(echo, alice):
    private = VersionFactory.create(model__account=alice, model__name="diary", model__visibility="private").model
    whisper = VersionFactory.create(model__account=alice, model__name="whisper", model__run_count=50).model
    collection = Collection.objects.create(slug="text-tools", name="Text tools", description="They shout and murmur")
    collection.members.add(echo, private, whisper)
    return collection


def test_a_query_finds_models_with_their_metadata_collections_and_pages(api, text_tools):
    found = api.get("/v1/search?query=shout").json()
    assert found.keys() == {"query", "models", "collections", "pages"}
    assert found["query"] == "shout"
    (hit,) = found["models"]
    document = api.get("/v1/models/alice/echo-shout").json()
    del document["pricing"]  # of one model alone
    assert hit["model"] == document
    assert hit["metadata"] == {"generated_description": None, "tags": ["text-tools"], "score": hit["metadata"]["score"]}
    assert hit["metadata"]["score"] > 0
    assert found["collections"] == [
        {
            "name": "Text tools",
            "slug": "text-tools",
            "description": "They shout and murmur",
            "models": ["alice/whisper", "alice/echo-shout"],
        }
    ]


def test_a_private_model_is_never_found_not_even_by_its_owner(api, text_tools):
    found = api.get("/v1/search?query=diary").json()
    assert found["models"] == []


def test_a_collection_without_anything_to_show_is_not_found(api, alice):
    Collection.objects.create(slug="empty", name="Empty shelves")
    assert api.get("/v1/search?query=shelves").json()["collections"] == []


@pytest.mark.parametrize("query", ["", "query=", "query=%20%20", "query=%00", "limit=5"])
def test_without_a_query_there_is_nothing_to_look_for(api, query):
    answer = api.get(f"/v1/search?{query}")
    assert answer.status_code == 400
    assert answer.json() == {"detail": 'Query parameter "query" is required', "status": 400}


@pytest.mark.parametrize("limit", ["0", "51", "-1", "ten", "1.5", "", "9" * 30, "²"])
def test_a_limit_is_an_integer_from_1_to_50(api, limit):
    answer = api.get("/v1/search", params={"query": "x", "limit": limit})
    assert answer.status_code == 400
    assert answer.json() == {"detail": 'Query parameter "limit" must be an integer from 1 to 50', "status": 400}


def test_the_limit_bounds_models(api, alice):
    for number in range(22):
        VersionFactory.create(model__account=alice, model__name=f"cat-{number}")
    sizes = [len(api.get(f"/v1/search?query=cat{more}").json()["models"]) for more in ("&limit=1", "", "&limit=50")]
    assert sizes == [1, 20, 22]


@pytest.mark.parametrize("query", ["' OR 77=77 --", "!!!", "a:*&|", "\\", "%", "x" * 5000, "ß\x00ß", "the of a"])
def test_odd_queries_find_nothing_and_break_nothing(api, text_tools, query):
    found = api.get("/v1/search", params={"query": query})
    assert (found.status_code, found.json()["collections"], found.json()["pages"]) == (200, [], [])


def test_the_query_is_shown_as_it_was_evaluated(api, alice):
    assert api.get("/v1/search?query=%20Two%20%20words%20").json()["query"] == "Two words"


def test_more_hits_cost_no_more_queries(text_tools, alice, django_assert_num_queries):
    from marketplace.api_search import search_document

    with django_assert_num_queries(5):
        search_document("shout", 20)
    for number in range(5):
        text_tools.members.add(VersionFactory.create(model__account=alice, model__name=f"shout-{number}").model)
    with django_assert_num_queries(5):
        assert len(search_document("shout", 20)["models"]) == 6


@pytest.mark.parametrize(
    ("text", "anchor"),
    [
        ("create a prediction", "predictions-create"),
        ("cancelling predictions", "predictions-cancel"),
        ("how to upload a file", "files-create"),
        ("compare versions", "models-versions-compare"),
        ("webhook secret", "webhooks-default-secret-get"),
        ("list hardware", "hardware-list"),
        ("/v1/deployments", "deployments-list"),
    ],
)
def test_words_find_the_section_of_the_reference(text, anchor):
    assert f"/docs/api#{anchor}" in [page.href for page in find_pages(text)[:3]]


def test_every_page_that_is_found_is_there(visitor, db):
    reference = visitor.get("/docs/api").content.decode()
    pages = [page for word in ("api", "list", "get", "create", "delete", "update") for page in find_pages(word)]
    assert len(pages) > 10
    for page in pages:
        path, _, anchor = page.href.partition("#")
        assert path == "/docs/api"
        assert not anchor or f'id="{anchor}"' in reference
