"""Rate limits at the API: told on every answer to a known caller, 429 before the body is read, one bucket a class."""

import re

import pytest

from marketplace import api as api_root
from marketplace.lib.endpoints import RateClass, rates_of
from marketplace.openapi.operations import OPERATIONS
from runner.models import Prediction
from tests.accounts.factories import token_for
from tests.billing.factories import fund
from tests.models_catalog.factories import VersionFactory
from tests.plugins.api_client import ApiClient

DOLLAR = 1_000_000_000


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo")


@pytest.fixture
def body(version):
    return {"version": version.pk, "input": {"text": "hi"}}


@pytest.fixture
def few(settings):
    """Two creations, three others."""
    settings.RATE_LIMIT_CREATE_PER_MINUTE = 2
    settings.RATE_LIMIT_OTHER_PER_MINUTE = 3


def limits_in(answer):
    return int(answer.headers["ratelimit-remaining"]), int(answer.headers["ratelimit-reset"])


TOLD = {
    "resource": ("GET", "/v1/account", 200),
    "unknown_path": ("GET", "/v1/nope", 404),
    "missing": ("GET", "/v1/models/alice/nope", 404),
    "wrong_method": ("PUT", "/v1/models", 405),
    "options": ("OPTIONS", "/v1/models", 204),
    "head": ("HEAD", "/v1/account", 200),
    "broken_json": ("POST", "/v1/predictions", 400),
}


@pytest.mark.parametrize(("method", "path", "status"), TOLD.values(), ids=TOLD)
def test_every_answer_to_a_known_caller_tells_the_limit(api, method, path, status):
    answer = api.request(method, path, content=b"{" if method == "POST" else None)
    assert answer.status_code == status
    remaining, reset = limits_in(answer)
    assert (remaining >= 0, reset >= 1) == (True, True)


def test_a_defect_of_ours_tells_it_too(api, monkeypatch):
    monkeypatch.setattr("accounts.api.account_document", lambda account: 1 / 0)
    answer = api.get("/v1/account", raise_app_exceptions=False)
    assert answer.status_code == 500
    assert limits_in(answer)


@pytest.mark.parametrize("token", [None, "r8_wrong"])
def test_who_is_not_known_is_told_nothing(anonymous_api, token):
    anonymous_api.token = token
    answer = anonymous_api.get("/v1/account")
    assert answer.status_code == 401
    assert "ratelimit-remaining" not in answer.headers


def test_public_addresses_ignore_a_token(api):
    assert "ratelimit-remaining" not in api.get("/v1/openapi.json").headers


def test_three_classes_are_counted_apart(api, body):
    created = api.post("/v1/predictions", body)
    polled = api.get(created.json()["urls"]["get"])
    listed = api.get("/v1/predictions")
    assert [limits_in(answer)[0] for answer in (created, polled, listed)] == [599, 59_999, 2999]


def test_too_many_creations_are_refused_in_the_words_clients_know(api, body, few):
    assert [api.post("/v1/predictions", body).status_code for _ in range(2)] == [201, 201]
    answer = api.post("/v1/predictions", body)
    assert (answer.status_code, answer.headers["content-type"]) == (429, "application/problem+json")
    assert answer.json() == {
        "detail": "Request was throttled. Your rate limit resets in ~30s.",
        "status": 429,
        "retry_after": 30,
    }
    assert answer.headers["retry-after"] == "30"
    assert limits_in(answer) == (0, 30)
    assert Prediction.objects.count() == 2
    assert api.get("/v1/predictions").status_code == 200, "reading has a bucket of its own"


def test_429_comes_after_401_and_before_the_body(api, anonymous_api, few):
    for _ in range(2):
        api.post("/v1/predictions", {})
    assert api.request("POST", "/v1/predictions", content=b"{").status_code == 429
    assert anonymous_api.request("POST", "/v1/predictions", content=b"{").status_code == 401


def test_each_token_has_a_bucket_of_its_own(api, alice, body, few, event_loop_thread):
    other = ApiClient(event_loop_thread, token_for(alice))
    for _ in range(3):
        refused = api.post("/v1/predictions", body)
    assert (refused.status_code, other.post("/v1/predictions", body).status_code) == (429, 201)


def test_low_credit_slows_creating_for_all_tokens_of_the_account(api, alice, body, event_loop_thread):
    fund(alice, 5 * DOLLAR - 1)
    assert api.post("/v1/predictions", body).status_code == 201
    answer = ApiClient(event_loop_thread, token_for(alice)).post("/v1/predictions", body)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert answer.json()["detail"] == (
        "Request was throttled. Your rate limit for creating predictions is reduced to 6 requests per minute with a "
        "burst of 1 requests while you have less than $5.0 in credit. Your rate limit resets in ~10s."
    )
    assert api.get("/v1/predictions").status_code == 200


def test_enough_credit_slows_nothing(api, alice, body):
    fund(alice, 5 * DOLLAR)
    assert [api.post("/v1/predictions", body).status_code for _ in range(3)] == [201] * 3


def test_no_credit_is_402_after_the_input_was_checked(api, alice, body, settings):
    settings.RATE_LIMIT_LOW_CREDIT_PER_MINUTE = 60_000
    fund(alice, 0)
    invalid = post_soon(api, {**body, "input": {}})
    answer = post_soon(api, body)
    assert (invalid.status_code, answer.status_code) == (422, 402)
    told = answer.json()
    assert {name: told[name] for name in ("title", "detail", "status", "code")} == {
        "title": "Insufficient credit",
        "detail": "You have insufficient credit to run this model. Go to http://localhost:8000/account/billing#billing "
        "to purchase credit. Once you purchase credit, please wait a few minutes before trying again.",
        "status": 402,
        "code": "insufficient_credit",
    }
    assert not Prediction.objects.exists()


def test_every_operation_that_makes_predictions_is_counted_as_creating():
    served = {"/" + re.sub(r"<str:(\w+)>", r"{\1}", str(pattern.pattern)): pattern for pattern in api_root.urlpatterns}
    for operation in OPERATIONS:
        rates = rates_of(served[operation.path].callback) or {}
        if operation.method == "post" and operation.path.endswith(("predictions", "trainings", "batches")):
            assert rates.get("POST") == RateClass.CREATE, operation.path
        if operation.id in ("predictions.get", "trainings.get"):
            assert rates.get("GET") == RateClass.POLL, operation.path


def post_soon(api, body):
    """The low-credit bucket holds one; here it is full again after a millisecond."""
    while (answer := api.post("/v1/predictions", body)).status_code == 429:
        pass
    return answer
