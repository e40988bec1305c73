"""Checklist 1 to 17 and 58: paths, tokens, bodies, limits, CORS, credit.  Source: replicate-api.md 8."""

import http.client
import itertools
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract
PROBLEM = "application/problem+json"
NO_TOKEN = {"title": "Unauthenticated", "detail": "You did not pass an authentication token", "status": 401}
BAD_TOKEN = {"title": "Unauthenticated", "detail": "You did not pass a valid authentication token", "status": 401}
_GRANT = """
from accounts.models import Account
from tests.billing.factories import fund
fund(Account.objects.get(username={name!r}), {nanos})
"""
_numbers = itertools.count()


def account_with(site: LiveSite, nanos: int | None = None) -> str:
    """The token of a new account, with so much credit if any is said: what a test uses up is nobody else's."""
    name = f"transport{next(_numbers)}"
    token = site.new_account(name)
    if nanos is not None:
        site.run_python(_GRANT.format(name=name, nanos=nanos))
    return token


def hex_of(reference):
    return reference.partition(":")[2]


def test_item_001_bearer_and_token_are_the_same(live_site):
    bearer, token = (
        live_site.request("GET", "/v1/account", token="", headers={"Authorization": f"{scheme} {live_site.token}"})
        for scheme in ("Bearer", "Token")
    )
    assert (bearer.status_code, bearer.json()["username"]) == (200, "nina")
    assert (token.status_code, token.json()) == (200, bearer.json())


def test_item_002_without_a_token(live_site):
    answer = live_site.request("GET", "/v1/account", token="")
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (401, NO_TOKEN, PROBLEM)


def test_item_003_with_a_wrong_token(live_site):
    answer = live_site.request("GET", "/v1/account", token="r8_wrong")
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (401, BAD_TOKEN, PROBLEM)


@pytest.mark.parametrize("token", ["", "r8_wrong"], ids=["none", "wrong"])
def test_item_004_a_bad_token_is_told_before_broken_json(live_site, token):
    assert live_site.request("POST", "/v1/predictions", token=token, content=b"{broken").status_code == 401


def test_item_005_a_slash_at_the_end_is_no_redirect(live_site):
    answer = live_site.request("GET", "/v1/account/")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_item_006_an_unknown_path_is_a_json_404(live_site):
    answer = live_site.request("GET", "/v1/nope")
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert isinstance(answer.json()["detail"], str)


def test_item_007_a_wrong_method_names_the_right_ones(live_site):
    answer = live_site.request("PUT", "/v1/models")
    assert (answer.status_code, answer.json()["detail"]) == (405, 'Method "PUT" not allowed.')
    assert {"GET", "POST", "QUERY"} <= set(answer.headers["allow"].split(", "))


def test_item_008_the_prefix_may_be_doubled(live_site):
    single, double = (live_site.request("GET", path) for path in ("/v1/account", "/v1/v1/account"))
    assert (double.status_code, double.json()) == (200, single.json())


PATHS = ["account", "models", "predictions", "collections", "hardware", "files", "trainings", "deployments"]


@pytest.mark.parametrize("path", PATHS)
def test_item_009_accept_is_ignored(live_site, path):
    answer = live_site.request("GET", f"/v1/{path}", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")


def test_item_010_json_under_the_content_type_of_a_form(live_site, echo):
    content = b'{"version": "%s", "input": {"text": "hi"}}' % hex_of(echo).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert live_site.request("POST", "/v1/predictions", content=content, headers=headers).status_code == 201


def test_item_011_an_empty_body_may_call_itself_json(live_site, echo):
    made = live_site.request("POST", "/v1/predictions", json={"version": hex_of(echo), "input": {"text": "hi"}}).json()
    empty = {"Content-Type": "application/json", "Content-Length": "0"}
    got = live_site.request("GET", f"/v1/predictions/{made['id']}", headers=empty)
    canceled = live_site.request("POST", f"/v1/predictions/{made['id']}/cancel", headers=empty)
    assert (got.status_code, canceled.status_code) == (200, 200)


@pytest.mark.parametrize("content", [b"{broken", b"[1, 2]", b'"text"', b"\xff\xfe"])
def test_item_012_what_is_no_json_object_is_refused(live_site, content):
    answer = live_site.request("POST", "/v1/predictions", content=content)
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


def test_item_013_a_body_of_15_megabytes_is_accepted(live_site, files):
    data = "data:text/plain;base64," + "QUFB" * (15 * 1024 * 1024 // 4)
    body = {"version": hex_of(files), "input": {"source": data}}
    answer = live_site.request("POST", "/v1/predictions", json=body, headers={"Prefer": "wait"})
    assert (answer.status_code, answer.json().get("error")) == (201, None), answer.text[:500]


TOLD = [
    ("GET", "/v1/account", 200),
    ("GET", "/v1/nope", 404),
    ("PUT", "/v1/models", 405),
    ("POST", "/v1/predictions", 422),
    ("POST", "/v1/models", 400),
    ("GET", "/v1/predictions/nope", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), TOLD)
def test_item_014_every_answer_tells_the_limit(live_site, method, path, status):
    answer = live_site.request(method, path)
    assert answer.status_code == status
    assert answer.headers["ratelimit-remaining"].isdigit()
    assert int(answer.headers["ratelimit-reset"]) >= 1


def test_item_015_too_many_creations_are_throttled(live_site):
    token = account_with(live_site)
    with httpx.Client(base_url=live_site.base_url, headers={"Authorization": f"Bearer {token}"}) as client:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: client.post("/v1/predictions", content=b"{"), range(1200)))
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert client.get("/v1/account").status_code == 200
    assert refused.headers["content-type"] == PROBLEM
    assert refused.headers["retry-after"].isdigit()
    seconds = int(refused.headers["retry-after"])
    assert seconds >= 1
    assert (refused.headers["ratelimit-remaining"], refused.headers["ratelimit-reset"]) == ("0", str(seconds))
    assert refused.json() == {
        "detail": f"Request was throttled. Your rate limit resets in ~{seconds}s.",
        "status": 429,
        "retry_after": seconds,
    }


def test_item_016_low_credit_slows_creating(live_site, echo):
    token = account_with(live_site, nanos=4_000_000_000)
    body = {"version": hex_of(echo), "input": {"text": "hi"}}
    first, second = (live_site.request("POST", "/v1/predictions", json=body, token=token) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 429)
    assert second.json()["detail"].startswith(
        "Request was throttled. Your rate limit for creating predictions is reduced to 6 requests per minute with a "
        "burst of 1 requests while you have less than $5.0 in credit. Your rate limit resets in ~"
    )


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_item_017_no_answer_has_cors_headers(live_site, method):
    headers = {"Origin": "https://page.example.com", "Access-Control-Request-Method": "GET"}
    answer = live_site.request(method, "/v1/account", headers=headers)
    assert answer.status_code in (200, 204)
    assert "access-control-allow-origin" not in answer.headers


def test_item_058_without_credit_nothing_runs(live_site, echo):
    token = account_with(live_site, nanos=0)
    answer = live_site.request(
        "POST", "/v1/predictions", json={"version": hex_of(echo), "input": {"text": "hi"}}, token=token
    )
    assert (answer.status_code, answer.json()["title"]) == (402, "Insufficient credit")
    assert answer.json()["detail"].startswith("You have insufficient credit to run this model. Go to ")
    assert live_site.request("GET", "/v1/predictions", token=token).json()["results"] == []


def test_one_connection_serves_many_requests(live_site):
    site = urlsplit(live_site.base_url)
    connection = http.client.HTTPConnection(site.hostname or "", site.port)
    connection.connect()
    socket = connection.sock
    for method, path in (("GET", "/v1/account"), ("HEAD", "/v1/account"), ("PUT", "/v1/models"), ("GET", "/v1/nope")):
        connection.request(method, path, headers={"Authorization": f"Bearer {live_site.token}"})
        connection.getresponse().read()
        assert connection.sock is socket, f"closed after {method} {path}"
    connection.close()


def test_head_has_the_length_of_the_body_that_get_sends(live_site):
    plain = {"Accept-Encoding": "identity"}
    asked, got = (live_site.request(method, "/v1/hardware", headers=plain) for method in ("HEAD", "GET"))
    assert (asked.content, int(asked.headers["content-length"])) == (b"", len(got.content))


def test_an_idempotency_key_creates_once_through_the_whole_stack(live_site, echo):
    body = {"version": hex_of(echo), "input": {"text": "once"}}
    headers = {"Idempotency-Key": "conformance-1", "Prefer": "wait"}
    first, second = (live_site.request("POST", "/v1/predictions", json=body, headers=headers) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert (second.json()["status"], second.headers["idempotent-replayed"]) == ("succeeded", "true")
