"""Files that models make.  Source: replicate-api.md 8, items 86 and 87; 3.7, 6.2."""

import io

import httpx
import pytest
import replicate
from replicate.helpers import FileOutput

pytestmark = pytest.mark.contract


@pytest.fixture
def https_client(trusted):
    return replicate.Client(api_token=trusted.site.token, base_url=trusted.url)


@pytest.fixture
def https_files(trusted):
    return f"nina/files:{trusted.site.publish('files')}"


@pytest.fixture
def https_gallery(trusted):
    return f"nina/gallery:{trusted.site.publish('gallery')}"


def test_item_086_an_output_is_fetched_by_https_without_token_and_redirect(trusted, https_client, https_files):
    [output] = https_client.run(https_files, input={"source": io.BytesIO(b"payload"), "count": 1})
    assert output.url.startswith(f"{trusted.url}/files/")
    answer = httpx.get(output.url, follow_redirects=False)
    assert (answer.status_code, answer.content) == (200, b"payload#0")
    assert answer.headers["content-type"].partition(";")[0] == "text/plain"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert (answer.headers["content-length"], answer.headers["accept-ranges"]) == ("9", "bytes")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["etag"]
    assert output.url.endswith(".txt")


def test_item_086_the_python_client_gives_files(https_client, https_files):
    outputs = https_client.run(https_files, input={"source": io.BytesIO(b"payload"), "count": 2})
    assert all(isinstance(output, FileOutput) for output in outputs)
    assert [output.read() for output in outputs] == [b"payload#0", b"payload#1"]


def test_item_087_files_inside_an_object_are_addresses_at_their_place(https_client, https_gallery):
    output = https_client.run(https_gallery, input={"title": "Sea"})
    assert output["title"] == "Sea"
    assert output["cover"].read() == b"cover of Sea"
    assert [page.read() for page in output["pages"]] == [b"page0 of Sea", b"page1 of Sea"]
