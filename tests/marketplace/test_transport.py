"""HTTP as all of `/v1` speaks it: tags, compression, HEAD, OPTIONS, CORS only for chosen origins, paths."""

import pytest

from marketplace import api as api_root
from models_catalog.models import Model
from runner import files
from runner.models import Prediction, StoredFile
from tests.models_catalog.factories import ModelFactory, VersionFactory

ORIGIN = {"Origin": "https://app.example.com"}
PLAIN = {"Accept-Encoding": "identity"}
ZIPPED = {"Accept-Encoding": "gzip"}


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo")


@pytest.fixture
def open_to_a_page(settings):
    settings.API_CORS_ORIGINS = ["https://app.example.com"]


def test_a_reader_that_has_it_already_is_told_so(api):
    first = api.get("/v1/account")
    again = api.get("/v1/account", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert int(again.headers["ratelimit-remaining"]) < 3000
    assert "content-type" not in again.headers


@pytest.mark.parametrize("form", ["W/{}", '"other", {}', "*"])
def test_tags_are_compared_as_http_says(api, form):
    tag = api.get("/v1/account").headers["etag"]
    assert api.get("/v1/account", headers={"If-None-Match": form.format(tag)}).status_code == 304


def test_what_has_changed_is_sent_with_another_tag(api, version):
    path = "/v1/models/alice/echo"
    tag = api.get(path).headers["etag"]
    Model.objects.update(description="loud")
    changed = api.get(path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json()["description"]) == (200, "loud")
    assert changed.headers["etag"] != tag


def test_errors_and_creations_have_no_tag(api, version):
    created = api.post(
        "/v1/predictions", {"version": version.pk, "input": {"text": "hi"}}, headers={"If-None-Match": "*"}
    )
    missing = api.get("/v1/predictions/nope", headers={"If-None-Match": "*"})
    assert (created.status_code, missing.status_code) == (201, 404)
    assert "etag" not in {**created.headers, **missing.headers}


@pytest.fixture
def long(alice):
    ModelFactory.create(account=alice, name="long", description="a long story " * 500)
    return "/v1/models/alice/long"


def test_a_long_body_is_compressed_for_who_asks(api, long):
    plain, zipped = api.get(long, headers=PLAIN), api.get(long, headers=ZIPPED)
    assert "content-encoding" not in plain.headers
    assert zipped.headers["content-encoding"] == "gzip"
    assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"])
    assert zipped.json() == plain.json()
    assert zipped.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert zipped.headers["etag"] == f"W/{plain.headers['etag']}"


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br, gzip; q=0.0, *;q=0", "br"])
def test_nobody_gets_gzip_unasked(api, long, accepted):
    answer = api.get(long, headers={"Accept-Encoding": accepted})
    assert "content-encoding" not in answer.headers
    assert answer.json()["name"] == "long"


def test_the_tag_of_a_compressed_body_is_known_again(api, long):
    tag = api.get(long, headers=ZIPPED).headers["etag"]
    assert api.get(long, headers={**ZIPPED, "If-None-Match": tag}).status_code == 304


def test_a_body_that_takes_long_to_compress_arrives_whole(api, alice):
    Model.objects.create(account=alice, name="huge", readme="x" * 300_000, hardware="cpu-small")
    assert api.get("/v1/models/alice/huge/readme", headers=ZIPPED).text == "x" * 300_000


def test_a_short_body_is_not_compressed(api):
    assert "content-encoding" not in api.get("/v1/account", headers=ZIPPED).headers


def test_stored_files_are_not_compressed(api):
    api.request("POST", "/v1/files", files={"content": ("a.txt", b"hello " * 5000)})
    answer = api.get(files.download_url(StoredFile.objects.get(), "alice"), headers=ZIPPED)
    assert (answer.status_code, len(answer.content)) == (200, 30_000)
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("headers", [PLAIN, ZIPPED], ids=["plain", "gzip"])
def test_head_says_what_get_would_without_a_body(api, long, headers):
    asked, got = api.request("HEAD", long, headers=headers), api.get(long, headers=headers)
    assert asked.content == b""
    assert asked.headers["content-type"] == got.headers["content-type"]
    if headers is PLAIN:  # compressed bodies differ in length by a few random bytes
        assert asked.headers["content-length"] == str(len(got.content))
    assert asked.headers["etag"] == got.headers["etag"]
    assert "ratelimit-reset" in asked.headers


def test_every_path_answers_options_with_its_methods(anonymous_api):
    for pattern in api_root.urlpatterns[:-1]:
        path = str(pattern.pattern)
        path = "/v1/" + "/".join("x" if part.startswith("<") else part for part in path.split("/"))
        answer = anonymous_api.request("OPTIONS", path)
        assert (answer.status_code, answer.content) == (204, b""), path
        assert "OPTIONS" in answer.headers["allow"], path


def test_no_answer_has_cors_headers_by_default(api):
    preflight = {**ORIGIN, "Access-Control-Request-Method": "POST"}
    answers = [api.get("/v1/account", headers=ORIGIN), api.request("OPTIONS", "/v1/predictions", headers=preflight)]
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]


def test_a_page_of_a_chosen_origin_may_read(api, open_to_a_page):
    answer = api.get("/v1/account", headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert "ratelimit-remaining" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_refusal_can_be_read_too(anonymous_api, open_to_a_page):
    answer = anonymous_api.get("/v1/account", headers=ORIGIN)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, ORIGIN["Origin"])


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.com.evil.example", "null"])
def test_other_pages_may_not(api, open_to_a_page, origin):
    answer = api.get("/v1/account", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"


def test_a_preflight_names_methods_and_headers(anonymous_api, open_to_a_page):
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,prefer"}
    answer = anonymous_api.request("OPTIONS", "/v1/predictions", headers={**ORIGIN, **wanted})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-methods"] == answer.headers["allow"]
    assert "POST" in answer.headers["allow"]
    assert answer.headers["access-control-allow-headers"] == "authorization,prefer"


PATHS = {
    "unknown": ("GET", "/v1/nope", 404),
    "root": ("GET", "/v1", 404),
    "root_with_slash": ("GET", "/v1/", 404),
    "trailing_slash": ("GET", "/v1/account/", 404),
    "double_slash": ("GET", "/v1//account", 404),
    "alias": ("GET", "/v1/v1/account", 200),
    "triple": ("GET", "/v1/v1/v1/account", 404),
    "alias_of_nothing": ("GET", "/v1/v1/nope", 404),
    "put": ("PUT", "/v1/models", 405),
    "invented_method": ("BREW", "/v1/account", 405),
    "get_of_cancel": ("GET", "/v1/predictions/x/cancel", 405),
}


@pytest.mark.parametrize(("method", "path", "status"), PATHS.values(), ids=PATHS)
def test_every_path_answers_with_json_and_no_redirect(api, method, path, status):
    answer = api.request(method, path)
    assert answer.status_code == status
    assert "json" in answer.headers["content-type"]
    if status >= 400:
        assert isinstance(answer.json()["detail"], str)
        assert answer.json()["status"] == status


def test_creating_by_the_alias_is_one_and_the_same(api, version):
    answer = api.post("/v1/v1/predictions", {"version": version.pk, "input": {"text": "hi"}})
    assert answer.headers["location"].endswith(f"/v1/predictions/{Prediction.objects.get().pk}")
    assert "/v1/v1" not in answer.text
