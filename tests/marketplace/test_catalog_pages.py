"""Home, explore, search, collections, profiles: who sees what, in how many queries."""

from typing import Any

import pytest
from django.test import Client

from marketplace import seeding
from models_catalog.models import Collection, Example, Model
from models_catalog.moderation import hide
from tests.accounts.factories import AccountFactory
from tests.models_catalog.factories import TEXT_ITERATOR, VersionFactory, schema
from tests.plugins.people import Person

LISTS = ["/", "/explore", "/search?q=secret", "/collections/letters", "/alice"]


def publish(person: Person, name: str, **columns: Any) -> Model:
    """A model with a version that can run."""
    given = {f"model__{column}": value for column, value in columns.items()}
    return VersionFactory.create(model__account=person.account, model__name=name, **given).model


@pytest.fixture
def secret(alice_at_home: Person) -> Model:
    """A private model of Alice's in a collection."""
    model = publish(alice_at_home, "secret-letters", visibility="private")
    Collection.objects.create(slug="letters", name="Letters").members.add(model)
    return model


@pytest.mark.parametrize("path", LISTS)
def test_nobody_else_sees_a_private_model_in_any_list(
    secret: Model, stranger_at_home: Person, visitor: Client, path: str
) -> None:
    for browser in (stranger_at_home.browser, visitor):
        page = browser.get(path)
        assert page.status_code == 200
        assert "secret-letters" not in page.content.decode()


@pytest.mark.parametrize("path", LISTS)
def test_a_hidden_model_is_in_no_list(alice_at_home: Person, olga: Person, visitor: Client, path: str) -> None:
    model = publish(alice_at_home, "secret-letters")
    Collection.objects.create(slug="letters", name="Letters").members.add(model)
    assert "secret-letters" in visitor.get(path).content.decode()
    hide(olga.user, model, reason="illegal")
    assert "secret-letters" not in visitor.get(path).content.decode()


def test_owners_see_all_their_models_on_their_profile(secret: Model, alice_at_home: Person) -> None:
    page = alice_at_home.get("/alice").content.decode()
    assert "secret-letters" in page
    assert "Private" in page


def test_a_model_without_a_version_is_shown_to_its_owner_alone(alice_at_home: Person, visitor: Client) -> None:
    Model.objects.create(account=alice_at_home.account, name="unbuilt", hardware="cpu")
    assert "unbuilt" in alice_at_home.get("/alice").content.decode()
    assert "unbuilt" not in visitor.get("/alice").content.decode()


def test_explore_shows_each_model_once_over_its_pages(alice_at_home: Person, visitor: Client) -> None:
    for number in range(30):
        publish(alice_at_home, f"letter-{number:02}", run_count=number // 3)
    for sort in ("popular", "newest"):
        address, seen = f"/explore?sort={sort}", []
        while address:
            page = visitor.get(address)
            seen += [model.name for model in page.context["page"].models]
            cursor = page.context["page"].next_cursor
            address = f"/explore?sort={sort}&cursor={cursor}" if cursor else ""
        assert len(seen) == len(set(seen)) == 30


@pytest.mark.parametrize(
    "cursor", ["", "x", "!!!", "OTl-MQ", "bm9ib2R5fjE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5fjE", "\u2603"]
)
def test_a_cursor_that_makes_no_sense_is_no_error(alice_at_home: Person, visitor: Client, cursor: str) -> None:
    for sort in ("popular", "newest"):
        assert visitor.get("/explore", {"sort": sort, "cursor": cursor}).status_code == 200


def test_search_finds_by_words_and_says_when_there_is_nothing(alice_at_home: Person, visitor: Client) -> None:
    publish(alice_at_home, "painter", description="Paints a photo like van Gogh")
    assert "painter" in visitor.get("/search?q=gogh").content.decode()
    nothing = visitor.get("/search", {"q": "<zeppelin>"}).content.decode()
    assert "Nothing matches “&lt;zeppelin&gt;”" in nothing


def test_home_shows_a_real_example_of_a_featured_model_with_its_program(alice_at_home: Person, visitor: Client) -> None:
    publish(alice_at_home, "other", run_count=99)
    version = VersionFactory.create(
        model__account=alice_at_home.account,
        model__name="poet",
        openapi_schema=schema(output=TEXT_ITERATOR),
    )
    document = {"id": "e1", "input": {"text": "roses"}, "output": ["are ", "red"], "metrics": {"predict_time": 0.5}}
    Example.objects.create(model=version.model, prediction_id="e1", prediction=document)
    Collection.objects.create(slug="featured", name="Featured").members.add(version.model)
    page = visitor.get("/").content.decode()
    assert "are red" in page
    assert f"alice/poet:{version.pk}" in page
    assert "took 500 ms" in page


def test_home_of_an_empty_instance_says_what_to_do(visitor: Client) -> None:
    page = visitor.get("/").content.decode()
    assert "No models yet" in page
    assert "Publish the first model" in page


def test_home_of_a_first_start_follows_the_samples_also_without_script(visitor: Client, settings: Any) -> None:
    settings.SEED = True
    AccountFactory.create(username=seeding.OWNER)
    page = visitor.get("/").content.decode()
    assert "Setting up the sample models" in page
    assert "0 of" in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "No models yet" not in page


@pytest.mark.parametrize(("path", "queries"), [("/", 9), ("/explore", 3), ("/collections/letters", 3), ("/alice", 3)])
def test_lists_take_the_same_few_queries_for_any_number_of_models(
    alice_at_home: Person, visitor: Client, django_assert_max_num_queries: Any, path: str, queries: int
) -> None:
    collection = Collection.objects.create(slug="letters", name="Letters")
    for number in range(8):
        collection.members.add(publish(alice_at_home, f"letter-{number}"))
    with django_assert_max_num_queries(queries):
        assert visitor.get(path).status_code == 200


@pytest.mark.parametrize(
    "path", ["/nobody", "/collections/none", "/nobody/nothing", "/nobody/nothing/report", "/admin2/x/y/z"]
)
def test_missing_pages_offer_a_search_and_tell_nothing(visitor: Client, path: str) -> None:
    page = visitor.get(path)
    assert page.status_code == 404
    assert "There is nothing at this address" in page.content.decode()


def test_pages_that_look_like_the_consoles_have_the_content_policy(alice_at_home: Person, visitor: Client) -> None:
    assert "default-src 'self'" in visitor.get("/administrator")["Content-Security-Policy"]
