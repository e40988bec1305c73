"""Checklist 18 to 42: account, hardware, collections, search, models, versions.  Source: replicate-api.md 8."""

import itertools
import json
import re
from typing import Any

import pytest

from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract
MISSING = {"detail": "The requested resource could not be found.", "status": 404}
NAME_TAKEN = "A model with that name and owner already exists."
SHELF = 60  # models: two full pages and a third
_numbers = itertools.count()
_FILL = f"""
from accounts.models import Account
from models_catalog.models import Model, Version
account = Account.objects.get(username="shelf")
latest = Version.objects.filter(model__name="echo", model__account__username="nina").get()
for number in range({SHELF}):
    model = Model.objects.create(account=account, name=f"kept-{{number:02}}", hardware="cpu-small")
    if number >= 5:  # the first ones have no version
        model.latest_version = Version.objects.create(
            id=f"{{number:064x}}", model=model, status="ready", cog_version="", openapi_schema=latest.openapi_schema
        )
        model.save(update_fields=["latest_version"])
"""
_EMPTY = """
from models_catalog.models import Model, Version
Version.objects.filter(model__account__username="shelf").delete()
Model.objects.filter(account__username="shelf").delete()
"""
_COLLECT = """
from models_catalog.models import Collection, Model
collection = Collection.objects.create(slug="conforming", name="Conforming", description="Models for murmuring")
collection.members.add(*Model.objects.filter(name__in=["echo", "official-echo"]))
"""
_KEEP_EXAMPLE = """
import json
from models_catalog.examples import save_example
from models_catalog.models import Model
save_example(Model.objects.get(name="echo"), json.loads({document!r}))
"""


@pytest.fixture(scope="module")
def other(live_site: LiveSite) -> str:
    """The token of somebody who is not nina."""
    return live_site.new_account("catalog-other")


@pytest.fixture
def private(live_site: LiveSite):
    """The path of a private model of nina's, without versions."""
    return f"/v1/models/nina/{created(live_site).json()['name']}"


@pytest.fixture(scope="module")
def shelf(live_site: LiveSite, echo):
    """Many public models, some without a version, oldest first; gone afterwards."""
    live_site.new_account("shelf")
    live_site.run_python(_FILL)
    yield [f"kept-{number:02}" for number in range(SHELF)]
    live_site.run_python(_EMPTY)


@pytest.fixture(scope="module")
def collection(live_site: LiveSite, echo, official_echo) -> str:
    live_site.run_python(_COLLECT)
    return "conforming"


def wanted(**members):
    new = {"owner": "nina", "name": f"made-{next(_numbers)}", "visibility": "private", "hardware": "cpu-small"}
    return {name: value for name, value in (new | members).items() if value is not None}


def created(site: LiveSite, **members):
    answer = site.request("POST", "/v1/models", json=wanted(**members))
    assert answer.status_code == 201, answer.text
    return answer


def names(page):
    return [model["name"] for model in page["results"]]


def all_pages(site: LiveSite, path):
    """Every page, from the first."""
    pages = []
    while path:
        pages.append(site.request("GET", path).raise_for_status().json())
        path = pages[-1]["next"]
    return pages


def is_complete_prediction(document):
    members = {"id", "model", "version", "input", "output", "status", "created_at", "urls", "logs", "error"}
    return members <= document.keys() and re.fullmatch(r"[a-z0-9]{26}", document["id"])


def test_item_018_an_account_has_five_fields_and_always_a_name(live_site, other):
    account = live_site.request("GET", "/v1/account", token=other).json()
    assert account.keys() == {"type", "username", "name", "github_url", "avatar_url"}
    assert (account["type"], account["username"]) == ("user", "catalog-other")
    assert isinstance(account["name"], str)


def test_item_019_hardware_is_a_bare_array_that_needs_a_token(live_site):
    hardware = live_site.request("GET", "/v1/hardware").json()
    assert isinstance(hardware, list)
    assert hardware
    assert {frozenset(one) for one in hardware} == {frozenset({"sku", "name"})}
    assert {type(value) for one in hardware for value in one.values()} == {str}
    assert live_site.request("GET", "/v1/hardware", token="").status_code == 401


def test_item_020_collections_are_one_page_of_three_texts(live_site, collection):
    page = live_site.request("GET", "/v1/collections").json()
    assert (page["next"], page["previous"]) == (None, None)
    assert collection in [one["slug"] for one in page["results"]]
    assert {frozenset(one) for one in page["results"]} == {frozenset({"name", "slug", "description"})}
    assert {type(value) for one in page["results"] for value in one.values()} == {str}


def test_item_021_a_collection_has_its_models_in_full(live_site, collection):
    found = live_site.request("GET", f"/v1/collections/{collection}").json()
    assert found["full_description"] is None
    for model in found["models"]:
        shown = live_site.request("GET", f"/v1/models/{model['owner']}/{model['name']}").json()
        del shown["pricing"]  # an extension of one model's answer
        assert model == shown
    assert sorted(names({"results": found["models"]})) == ["echo", "official-echo"]
    unknown = live_site.request("GET", "/v1/collections/nothing-like-it")
    assert (unknown.status_code, unknown.json()) == (404, MISSING)


def test_item_022_search_has_four_keys_and_a_limit(live_site, collection):
    found = live_site.request("GET", "/v1/search", params={"query": "echo"}).json()
    assert found.keys() == {"query", "models", "collections", "pages"}
    assert {hit["model"]["name"] for hit in found["models"]} >= {"echo", "official-echo"}
    assert found["models"][0]["metadata"].keys() == {"generated_description", "tags", "score"}
    assert len(live_site.request("GET", "/v1/search?query=echo&limit=1").json()["models"]) == 1


def test_item_022_search_finds_collections_and_documentation(live_site, collection):
    (hit,) = live_site.request("GET", "/v1/search?query=murmuring").json()["collections"]
    assert (hit["slug"], sorted(hit["models"])) == (collection, ["nina/echo", "nina/official-echo"])
    page = live_site.request("GET", "/v1/search?query=cancel+prediction").json()["pages"][0]
    path, _, anchor = page["href"].partition("#")
    assert f'id="{anchor}"' in live_site.request("GET", path, token="").text


@pytest.mark.parametrize(
    "parameters", ["", "query=", "query=echo&limit=0", "query=echo&limit=51", "query=echo&limit=x"]
)
def test_item_022_search_without_query_or_with_a_bad_limit_is_400(live_site, parameters):
    answer = live_site.request("GET", f"/v1/search?{parameters}")
    assert (answer.status_code, answer.json()["status"], type(answer.json()["detail"])) == (400, 400, str)


def test_item_022_the_missing_query_has_its_exact_body(live_site):
    answer = live_site.request("GET", "/v1/search")
    assert answer.json() == {"detail": 'Query parameter "query" is required', "status": 400}


def test_item_023_search_never_finds_private_models(live_site, echo):
    live_site.publish("echo", "confidential-echo", visibility="private")
    found = live_site.request("GET", "/v1/search?query=confidential-echo&limit=50").json()
    assert "confidential-echo" not in [hit["model"]["name"] for hit in found["models"]]


def test_item_024_a_new_model_has_no_runs_no_version_and_no_example(live_site):
    answer = created(live_site)
    document = answer.json()
    assert (document["run_count"], document["latest_version"], document["default_example"]) == (0, None, None)
    assert document["url"] == f"{live_site.base_url}/nina/{document['name']}"


def test_item_025_a_name_is_given_once(live_site, private):
    name = private.rpartition("/")[2]
    answer = live_site.request("POST", "/v1/models", json=wanted(name=name))
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    assert NAME_TAKEN in answer.json()["detail"]
    assert NAME_TAKEN in answer.json()["errors"][0]["detail"]


def test_item_026_unknown_hardware_is_told_with_the_options(live_site):
    answer = live_site.request("POST", "/v1/models", json=wanted(hardware="gpu-x9"))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json()["title"], error["pointer"]) == (400, "Validation failed", "/hardware")
    skus = [one["sku"] for one in live_site.request("GET", "/v1/hardware").json()]
    options = ", ".join(skus)
    assert error["detail"] == f"gpu-x9 is not a valid hardware SKU. Your options are: {options}."
    assert answer.json()["detail"] == f"The following errors occurred:\n- hardware: {error['detail']}"


def test_item_027_all_mistakes_are_told_at_once(live_site):
    body = wanted(visibility="secret")
    del body["name"]
    answer = live_site.request("POST", "/v1/models", json=body)
    errors = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert (answer.status_code, set(errors)) == (400, {"/name", "/visibility"})
    assert errors["/name"] == "This field is required."


def test_item_028_nobody_creates_under_another_name(live_site, other):
    answer = live_site.request("POST", "/v1/models", json=wanted(owner="nina"), token=other)
    assert answer.status_code == 403
    assert answer.json() == {
        "title": "Permission denied",
        "detail": "You do not have permission to perform this action.",
        "status": 403,
    }


def test_item_029_the_list_has_public_models_newest_version_first(live_site, shelf, private):
    pages = all_pages(live_site, "/v1/models")
    assert [len(page["results"]) for page in pages[:-1]] == [25] * (len(pages) - 1)
    models = [model for page in pages for model in page["results"]]
    assert {model["visibility"] for model in models} == {"public"}
    ages = [model["latest_version"]["created_at"] for model in models if model["latest_version"]]
    assert ages == sorted(ages, reverse=True)
    assert all(model["latest_version"] is None for model in models[len(ages) :])
    assert shelf[0] in [model["name"] for model in models[len(ages) :]]


def test_item_030_models_are_sorted_by_creation_either_way(live_site, shelf):
    def sorted_names(direction):
        pages = all_pages(live_site, f"/v1/models?sort_by=model_created_at&sort_direction={direction}")
        return [name for page in pages for name in names(page)]

    assert sorted_names("asc") == sorted_names("desc")[::-1]
    assert [name for name in sorted_names("asc") if name in shelf] == shelf
    for wrong in ("sort_by=name", "sort_direction=up"):
        answer = live_site.request("GET", f"/v1/models?{wrong}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == f"?{wrong.partition('=')[0]}"


@pytest.mark.parametrize("sort_by", ["model_created_at", "latest_version_created_at"])
def test_item_031_pages_keep_their_sort_and_no_model_is_missing_or_doubled(live_site, shelf, sort_by):
    query = f"sort_by={sort_by}&sort_direction=asc"
    pages = all_pages(live_site, f"/v1/models?{query}")
    assert pages[0]["next"].startswith(f"{live_site.base_url}/v1/models?")
    assert set(query.split("&")) <= set(pages[0]["next"].partition("?")[2].split("&"))
    seen = [(model["owner"], model["name"]) for page in pages for model in page["results"]]
    assert len(seen) == len(set(seen))
    assert {name for owner, name in seen if owner == "shelf"} == set(shelf)
    assert names(live_site.request("GET", pages[1]["previous"]).json()) == names(pages[0])


def test_item_032_a_bad_cursor_is_not_found(live_site):
    answer = live_site.request("GET", "/v1/models?cursor=cD1uZXZlcg==")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid cursor", "status": 404})


def test_item_033_clients_search_in_their_own_ways_and_find_the_same(live_site, echo, official_echo):
    ways = [("echo", "text/plain"), ('"echo"', "text/plain"), ('"echo"', "application/json")]
    found = [
        live_site.request("QUERY", "/v1/models", content=body, headers={"Content-Type": kind}).json()
        for body, kind in ways
    ]
    assert found[0] == found[1] == found[2]
    assert {"echo", "official-echo"} <= set(names(found[0]))
    assert (found[0]["next"], found[0]["previous"]) == (None, None)


@pytest.mark.parametrize("below", ["", "/readme", "/examples", "/versions", "/predictions"])
def test_item_034_a_private_model_of_somebody_else_is_missing(live_site, other, private, below):
    live_site.request("PATCH", private, json={"readme": "# Ours"}).raise_for_status()
    options: dict[str, Any] = {"json": {"input": {}}} if below == "/predictions" else {}
    answer = live_site.request("POST" if options else "GET", private + below, token=other, **options)
    assert (answer.status_code, answer.json()) == (404, MISSING)


def test_item_035_texts_and_links_are_changed_cleared_and_left(live_site, private):
    links = ("github_url", "paper_url", "weights_url", "license_url")
    changes = {"description": "New", "readme": "# New"} | {name: f"https://example.com/{name}" for name in links}
    changed = live_site.request("PATCH", private, json=changes)
    assert changed.status_code == 200
    assert changed.json().items() >= {name: changes[name] for name in (*links, "description")}.items()
    for body in (b"{}", b""):
        same = live_site.request("PATCH", private, content=body)
        assert (same.status_code, same.json()) == (200, changed.json())
    cleared = live_site.request("PATCH", private, json=dict.fromkeys(changes)).json()
    assert [cleared[name] for name in (*links, "description")] == [None] * 5
    assert live_site.request("GET", f"{private}/readme").status_code == 404


@pytest.mark.parametrize("accept", ["text/plain", "application/json"])
def test_item_036_the_readme_is_markdown_whatever_is_accepted(live_site, private, accept):
    assert live_site.request("GET", f"{private}/readme").status_code == 404
    live_site.request("PATCH", private, json={"readme": "# Ours\n\n*loud*"}).raise_for_status()
    answer = live_site.request("GET", f"{private}/readme", headers={"Accept": accept})
    assert (answer.status_code, answer.text) == (200, "# Ours\n\n*loud*")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_item_037_examples_are_complete_predictions(live_site, client, echo):
    body = {"version": echo, "input": {"text": "example"}}
    made = live_site.request("POST", "/v1/predictions", json=body, headers={"Prefer": "wait"}).json()
    live_site.run_python(_KEEP_EXAMPLE.format(document=json.dumps(made)))
    page = live_site.request("GET", "/v1/models/nina/echo/examples").json()
    assert page.keys() == {"next", "previous", "results"}
    assert made["id"] in [example["id"] for example in page["results"]]
    assert all(is_complete_prediction(example) for example in page["results"])
    default = client.models.get("nina/echo").default_example
    assert default is not None
    assert default.id == page["results"][0]["id"]


def test_item_038_an_empty_private_model_is_deleted(live_site, private):
    answer = live_site.request("DELETE", private)
    assert (answer.status_code, answer.content) == (204, b"")
    assert live_site.request("GET", private).status_code == 404
    assert live_site.request("DELETE", private).status_code == 404


def test_item_038_public_models_and_those_with_versions_stay(live_site, other, echo):
    public = f"/v1/models/nina/{created(live_site, visibility='public').json()['name']}"
    live_site.publish("echo", "confidential-echo", visibility="private")
    for path in (public, "/v1/models/nina/confidential-echo"):
        answer = live_site.request("DELETE", path)
        assert (answer.status_code, answer.json()["title"]) == (409, "Conflict")
        assert answer.headers["x-should-retry"] == "false"
        assert live_site.request("GET", path).status_code == 200
    assert live_site.request("DELETE", public, token=other).status_code == 403
    assert live_site.request("DELETE", "/v1/models/nina/confidential-echo", token=other).status_code == 404


def test_item_039_versions_are_listed_newest_first_and_complete(live_site, echo):
    page = live_site.request("GET", "/v1/models/nina/echo/versions").json()
    assert page["results"][0]["id"] == echo.partition(":")[2]
    ages = [version["created_at"] for version in page["results"]]
    assert ages == sorted(ages, reverse=True)
    for version in page["results"]:
        assert re.fullmatch("[0-9a-f]{64}", version["id"])
        assert isinstance(version["cog_version"], str)
        assert {"Input", "Output"} <= version["openapi_schema"]["components"]["schemas"].keys()


def test_item_040_a_version_is_found_only_at_its_own_model(live_site, echo, slow):
    version_id = echo.partition(":")[2]
    found = live_site.request("GET", f"/v1/models/nina/echo/versions/{version_id}")
    assert (found.status_code, found.json()["id"]) == (200, version_id)
    for path in (f"nina/slow/versions/{version_id}", f"nina/echo/versions/{'0' * 64}", "nina/echo/versions/latest"):
        answer = live_site.request("GET", f"/v1/models/{path}")
        assert (answer.status_code, answer.json()) == (404, MISSING)


def test_item_041_versions_of_an_official_model_are_read_but_not_listed(live_site, official_echo):
    path = f"/v1/models/{official_echo}"
    listed = live_site.request("GET", f"{path}/versions")
    assert (listed.status_code, listed.json()) == (404, MISSING)
    latest = live_site.request("GET", path).json()["latest_version"]
    assert live_site.request("GET", f"{path}/versions/{latest['id']}").json() == latest


def test_item_042_a_version_is_deleted_unless_others_may_depend_on_it(live_site, echo):
    version_id = live_site.publish("echo", "deleted-echo", visibility="private")
    path = f"/v1/models/nina/deleted-echo/versions/{version_id}"
    deployment = {"name": "keeps-it", "model": "nina/deleted-echo", "version": version_id, "hardware": "cpu-small"}
    live_site.request(
        "POST", "/v1/deployments", json=deployment | {"min_instances": 0, "max_instances": 1}
    ).raise_for_status()
    used = live_site.request("DELETE", path)
    assert (used.status_code, used.headers["x-should-retry"]) == (409, "false")
    assert live_site.request("DELETE", "/v1/deployments/nina/keeps-it").status_code == 204
    deleted = live_site.request("DELETE", path)
    assert (deleted.status_code, deleted.content) == (202, b"")
    assert live_site.request("GET", "/v1/models/nina/deleted-echo/versions").json()["results"] == []
    assert live_site.request("GET", path).status_code == 404
    assert live_site.request("DELETE", "/v1/models/nina/deleted-echo").status_code == 204


def test_item_042_a_version_of_a_public_model_stays(live_site, echo):
    path = f"/v1/models/nina/echo/versions/{echo.partition(':')[2]}"
    assert live_site.request("DELETE", path).status_code == 409
    assert live_site.request("GET", path).status_code == 200
