"""Uploads, downloads and outputs over the API."""

import datetime
import hashlib
import time

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from runner import files, input_files
from runner.models import StoredFile
from tests.accounts.factories import caller_of
from tests.models_catalog.factories import VersionFactory, schema
from tests.runner.factories import end, make_prediction


@pytest.fixture(autouse=True)
def storage_of_its_own(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        },
    }


def upload(api, content=b"hello", **parts):
    return api.post("/v1/files", files={"content": ("hello.txt", content, "text/plain"), **parts})


@pytest.fixture
def output(alice):
    prediction = end(make_prediction(VersionFactory.create(model__account=alice)))

    def store(content=b"0123456789", content_type="image/png", filename="out.png"):
        return files.store_output(prediction, ContentFile(content), content_type=content_type, filename=filename)

    return store


def test_an_upload_is_described_with_its_digests(api, golden):
    document = upload(api).json()
    assert document["checksums"]["sha256"] == hashlib.sha256(b"hello").hexdigest()
    golden("file", document)


def test_an_empty_file_is_a_file(api):
    assert upload(api, b"").json()["size"] == 0


@pytest.mark.parametrize(
    ("options", "metadata"),
    [
        ({"data": {"metadata": '{"a": 1}'}}, {"a": 1}),
        ({"files": {"metadata": ("blob", b'{"a": {"b": 2}}', "application/json")}}, {"a": {"b": 2}}),
        ({"data": {"metadata[a]": "1", "metadata[b][c][]": ["2", "3"]}}, {"a": "1", "b": {"c": ["2", "3"]}}),
        ({}, {}),
    ],
    ids=["field", "file_part", "brackets", "none"],
)
def test_metadata_comes_in_the_shapes_of_three_clients(api, options, metadata):
    content = {"content": ("hello.txt", b"hello", "text/plain")}
    answer = api.post("/v1/files", files={**content, **options.get("files", {})}, data=options.get("data"))
    assert (answer.status_code, answer.json()["metadata"]) == (201, metadata)


def test_fields_win_over_what_the_part_says(api):
    content = {"content": ("upload", b"x", "application/octet-stream")}
    document = api.post("/v1/files", files=content, data={"filename": "a/b.wav", "type": "audio/wav"}).json()
    assert (document["name"], document["content_type"]) == ("b.wav", "audio/wav")


@pytest.mark.parametrize(
    ("parts", "pointer"),
    [
        ({"data": {"metadata": "{}"}, "files": {"other": b"x"}}, "/content"),
        ({"files": {"content": b"x"}, "data": {"metadata": "nope"}}, "/metadata"),
        ({"files": {"content": b"x"}, "data": {"metadata": "[1]"}}, "/metadata"),
        ({"files": {"content": b"x"}, "data": {"filename": "x" * 256}}, "/filename"),
    ],
    ids=["no_content", "metadata_is_no_json", "metadata_is_a_list", "long_name"],
)
def test_what_is_wrong_with_an_upload_is_named(api, parts, pointer):
    answer = api.post("/v1/files", **parts)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_a_deleted_file_is_gone_everywhere(api):
    document = upload(api).json()
    key = StoredFile.objects.get().key
    path = f"/v1/files/{document['id']}"
    assert api.request("DELETE", path).status_code == 204
    assert [api.get(path).json(), api.request("DELETE", path).json()] == [
        {"detail": "File not found", "status": 404}
    ] * 2
    assert not default_storage.exists(key)
    assert api.get("/v1/files").json()["results"] == []


def test_a_strangers_file_looks_like_a_missing_one(api, stranger_api):
    assert stranger_api.get(f"/v1/files/{upload(api).json()['id']}").json() == {
        "detail": "File not found",
        "status": 404,
    }


def test_a_signed_link_downloads_without_a_token(api, anonymous_api):
    upload(api)
    link = files.download_url(StoredFile.objects.get(), "alice")
    answer = anonymous_api.get(link)
    assert (answer.content, answer.headers["content-type"]) == (b"hello", "text/plain")
    assert answer.headers["content-disposition"] == 'attachment; filename="hello.txt"'


@pytest.mark.parametrize(
    "change", [("owner=alice", "owner=bob"), ("signature=", "signature=x"), ("expiry=", "expiry=9")]
)
def test_a_link_that_was_tampered_with_leads_nowhere(api, anonymous_api, change):
    upload(api)
    answer = anonymous_api.get(files.download_url(StoredFile.objects.get(), "alice").replace(*change))
    assert answer.json() == {"detail": "File not found", "status": 404}


def test_an_expired_link_leads_nowhere(api, anonymous_api):
    upload(api)
    two_hours_ago = time.time() - 7200
    link = files.download_url(StoredFile.objects.get(), "alice", now=two_hours_ago)
    assert anonymous_api.get(link).status_code == 404


def test_an_expired_file_is_gone_and_then_removed(api):
    document = upload(api).json()
    StoredFile.objects.update(expires_at=datetime.datetime.now(datetime.UTC))
    assert api.get(f"/v1/files/{document['id']}").status_code == 404
    assert (files.remove_expired(), files.remove_expired()) == (1, 0)


def test_an_output_is_served_to_whoever_has_its_address(anonymous_api, output):
    answer = anonymous_api.get(files.output_url(output()))
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert answer.headers["content-length"] == "10"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["etag"] == f'"{hashlib.md5(b"0123456789").hexdigest()}"'


def test_an_output_under_a_wrong_signature_is_not_found(anonymous_api, output):
    url = files.output_url(output())
    assert anonymous_api.get(url.replace("/out.png", "0/out.png")).status_code == 404


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("image/png", "inline"),
        ("audio/wav", "inline"),
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/pdf", "attachment"),
    ],
)
def test_a_hostile_output_can_not_act_as_a_page_of_ours(anonymous_api, output, content_type, disposition):
    answer = anonymous_api.get(files.output_url(output(content_type=content_type)))
    assert answer.headers["content-disposition"].startswith(disposition)
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("header", "status", "content", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
def test_a_range_is_served(anonymous_api, output, header, status, content, content_range):
    answer = anonymous_api.get(files.output_url(output()), headers={"Range": header})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, content_range)


def test_a_known_tag_needs_no_content(anonymous_api, output):
    url = files.output_url(output())
    tag = anonymous_api.get(url).headers["etag"]
    assert anonymous_api.get(url, headers={"If-None-Match": tag}).status_code == 304
    assert anonymous_api.get(url, headers={"If-Range": '"old"', "Range": "bytes=0-1"}).status_code == 200


def test_an_input_may_name_an_own_upload_and_the_model_gets_its_content(api, alice):
    version = VersionFactory.create(
        model__account=alice, openapi_schema=schema({"image": {"type": "string", "format": "uri"}})
    )
    url = upload(api).json()["urls"]["get"]
    answer = api.post("/v1/predictions", {"version": version.pk, "input": {"image": url}})
    assert (answer.status_code, answer.json()["input"]) == (201, {"image": url})
    resolved = input_files.resolve_inputs(alice.pk, {"image": url, "more": [url.replace("/v1/", "/v1/v1/"), "x"]})
    assert resolved == {
        "image": "data:text/plain;base64,aGVsbG8=",
        "more": ["data:text/plain;base64,aGVsbG8=", "x"],
    }


def test_an_input_may_not_name_a_strangers_upload(api, stranger, alice):
    file = files.store_upload(caller_of(stranger), ContentFile(b"x"), name="x", content_type="text/plain", metadata={})
    version = VersionFactory.create(model__account=alice)
    given = {"text": files.upload_url(file)}
    answer = api.post("/v1/predictions", {"version": version.pk, "input": given})
    assert (answer.status_code, answer.json()["invalid_fields"][0]["field"]) == (422, "input.text")
    assert input_files.resolve_inputs(alice.pk, given) == given


def test_inputs_without_our_files_cost_no_query(alice, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert (
            input_files.unreadable_inputs(caller_of(alice), {"a": ["x", {"b": "https://example.com/v1/files/1"}]}) == []
        )


@pytest.mark.parametrize(
    ("data_uri", "content", "content_type"),
    [
        ("data:image/png;base64,aGk=", b"hi", "image/png"),
        ("data:text/plain;charset=utf-8;base64,aGk=", b"hi", "text/plain"),
        ("data:,a%20b", b"a b", "text/plain"),
    ],
)
def test_data_uris_are_decoded(data_uri, content, content_type):
    assert files.decode_data_uri(data_uri) == (content, content_type)
