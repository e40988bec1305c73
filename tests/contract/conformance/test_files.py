"""Uploads, and files that models take.  Source: replicate-api.md 8, items 79 to 85."""

import base64
import datetime
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract

HELLO_SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
HELLO_MD5 = "5d41402abc4b2a76b9719d911017c592"
TOO_LARGE = 100 * 1024 * 1024 + 1


@pytest.fixture(scope="session")
def stranger(live_site: LiveSite) -> str:
    """A token of another account."""
    return live_site.new_account("file-stranger")


def upload(live_site, content=b"hello", **options):
    answer = live_site.request("POST", "/v1/files", files={"content": ("hello.txt", content, "text/plain")}, **options)
    assert answer.status_code == 201, answer.text
    return answer.json()


def run(live_site, reference, **inputs):
    version = reference.partition(":")[2]
    body = {"version": version, "input": inputs}
    answer = live_site.request("POST", "/v1/predictions", json=body, headers={"Prefer": "wait"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "succeeded", answer.json()["error"]
    return answer.json()


# How each client puts name, type and metadata into the form; the first two were read off their source.
SHAPES: dict[str, dict[str, Any]] = {
    "PY1": {
        "files": {"content": ("hello.txt", b"hello", "text/plain")},
        "data": {"metadata": json.dumps({"kind": "greeting"})},
    },
    "PY2": {
        "files": {"content": ("upload", b"hello", "application/octet-stream")},
        "data": {"filename": "hello.txt", "type": "text/plain", "metadata[kind]": "greeting"},
    },
    "JS": {
        "files": {
            "content": ("hello.txt", b"hello", "text/plain"),
            "metadata": ("blob", json.dumps({"kind": "greeting"}).encode(), "application/json"),
        },
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_item_079_an_upload_in_each_clients_shape_keeps_name_type_and_metadata(live_site, shape):
    answer = live_site.request("POST", "/v1/files", **SHAPES[shape])
    file = answer.json()
    assert answer.status_code == 201
    assert (file["name"], file["content_type"], file["size"]) == ("hello.txt", "text/plain", 5)
    assert file["metadata"] == {"kind": "greeting"}
    assert (file["etag"], file["checksums"]) == (HELLO_MD5, {"sha256": HELLO_SHA256, "md5": HELLO_MD5})


def test_item_080_an_empty_file_is_a_file(client):
    file = client.files.create(io.BytesIO(b""), filename="empty.bin")
    assert (file.size, file.name) == (0, "empty.bin")


def test_item_080_more_than_100_mb_is_too_large(live_site):
    answer = live_site.request("POST", "/v1/files", files={"content": ("big.bin", io.BytesIO(bytes(TOO_LARGE)))})
    assert answer.status_code == 413
    assert answer.json()["detail"] == "Files must be less than 100MB in size"


def test_item_080_an_upload_without_content_is_named(live_site):
    answer = live_site.request("POST", "/v1/files", files={"metadata": ("blob", b"{}", "application/json")})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/content")


def test_item_081_a_file_expires_after_a_day_is_listed_at_once_and_described(client, live_site):
    file = client.files.create(io.BytesIO(b"hello"), filename="hello.txt")
    described = live_site.request("GET", f"/v1/files/{file.id}").json()
    created, expires = (datetime.datetime.fromisoformat(described[name]) for name in ("created_at", "expires_at"))
    assert abs(expires - created - datetime.timedelta(hours=24)) < datetime.timedelta(seconds=1)
    assert client.files.list()[0].id == file.id
    assert (described["id"], described["name"]) == (file.id, "hello.txt")
    assert described["urls"]["get"] == f"{live_site.base_url}/v1/files/{file.id}"


def test_item_082_a_deleted_file_is_gone_everywhere(live_site):
    file = upload(live_site)
    link = download_link(live_site, file["id"])
    path = f"/v1/files/{file['id']}"
    deleted = live_site.request("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    again = [live_site.request("GET", path), live_site.request("DELETE", path), httpx.get(link)]
    assert {(answer.status_code, answer.json()["detail"]) for answer in again} == {(404, "File not found")}


def download_link(live_site, file_id, *, seconds_ago=0):
    """A link as the platform makes them: no client can."""
    code = (
        "import time\nfrom runner import files\nfrom runner.models import StoredFile\n"
        f"print(files.download_url(StoredFile.objects.get(pk={file_id!r}), 'nina', now=time.time() - {seconds_ago}))"
    )
    return live_site.run_python(code).strip()


def test_item_083_a_signed_link_needs_no_token(live_site):
    file = upload(live_site)
    answer = httpx.get(download_link(live_site, file["id"]))
    assert (answer.status_code, answer.content) == (200, b"hello")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-length"] == "5"
    assert answer.headers["content-disposition"] == 'attachment; filename="hello.txt"'
    assert answer.headers["etag"].strip('"') == HELLO_MD5


@pytest.mark.parametrize("tampered", ["owner", "expiry", "signature"])
def test_item_083_a_link_that_was_tampered_with_leads_nowhere(live_site, tampered):
    file = upload(live_site)
    link = urlsplit(download_link(live_site, file["id"]))
    query = {name: value for name, [value] in parse_qs(link.query).items()}
    query[tampered] = {"owner": "file-stranger", "expiry": str(int(query["expiry"]) + 1), "signature": "AAAA"}[tampered]
    answer = httpx.get(link._replace(query=urlencode(query)).geturl())
    assert (answer.status_code, answer.json()["detail"]) == (404, "File not found")


def test_item_083_an_expired_link_leads_nowhere(live_site):
    file = upload(live_site)
    answer = httpx.get(download_link(live_site, file["id"], seconds_ago=24 * 3600))
    assert (answer.status_code, answer.json()["detail"]) == (404, "File not found")


def test_item_084_the_model_receives_the_bytes_of_an_own_upload(live_site, files):
    source = upload(live_site, b"payload")["urls"]["get"]
    prediction = run(live_site, files, source=source, count=1)
    assert httpx.get(prediction["output"][0]).content == b"payload#0"
    assert prediction["input"]["source"] == source


def test_item_084_a_foreign_file_is_refused(live_site, files, stranger):
    source = upload(live_site, token=stranger)["urls"]["get"]
    body = {"version": files.partition(":")[2], "input": {"source": source}}
    answer = live_site.request("POST", "/v1/predictions", json=body)
    assert answer.status_code == 422
    assert [field["field"] for field in answer.json()["invalid_fields"]] == ["input.source"]


@pytest.fixture
def hosted() -> Iterator[str]:
    """The address of a file on some web server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"hosted")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hosted.txt"
    server.shutdown()


def test_item_085_a_data_uri_reaches_the_model_as_a_file(live_site, files):
    uri = "data:text/plain;base64," + base64.b64encode(b"inline").decode()
    prediction = run(live_site, files, source=uri, count=1)
    assert httpx.get(prediction["output"][0]).content == b"inline#0"


def test_item_085_a_public_address_reaches_the_model_as_a_file(live_site, files, hosted):
    prediction = run(live_site, files, source=hosted, count=1)
    assert httpx.get(prediction["output"][0]).content == b"hosted#0"
    assert prediction["input"]["source"] == hosted
