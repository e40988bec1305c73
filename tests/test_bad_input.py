"""What is refused at the API: each bad request with its status and words that say what to mend."""

from typing import Any

import pytest

from runner.models import Prediction
from tests.accounts.factories import caller_of
from tests.models_catalog.factories import ModelFactory, VersionFactory, schema

FIELDS = {
    "text": {"type": "string", "maxLength": 5},
    "width": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1},
    "mood": {"type": "string", "enum": ["loud", "soft"], "default": "loud"},
    "image": {"type": "string", "format": "uri", "default": "https://example.com/x.png"},
    "tags": {"type": "array", "items": {"type": "string"}, "default": []},
}


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo", openapi_schema=schema(FIELDS))


def asked(**members: Any) -> dict[str, Any]:
    return {"text": "hi", **members}


WRONG_INPUTS = {
    "missing": ({}, "input: text is required"),
    "null": ({"text": None}, "input.text: Invalid type. Expected: string, given: null"),
    "string_for_integer": (asked(width="3"), "input.width: Invalid type. Expected: integer, given: string"),
    "boolean_for_integer": (asked(width=True), "input.width: Invalid type. Expected: integer, given: boolean"),
    "too_large": (asked(width=5), "input.width: Must be less than or equal to 4"),
    "too_small": (asked(width=0), "input.width: Must be greater than or equal to 1"),
    "not_an_option": (asked(mood="odd"), 'input.mood: mood must be one of the following: "loud", "soft"'),
    "too_long": ({"text": "shouting"}, "input.text: String length must be less than or equal to 5"),
    "no_address": (asked(image="picture.png"), "input.image: Does not match format 'uri'"),
    "file_scheme": (asked(image="file:///etc/passwd"), "input.image: Does not match format 'uri'"),
    "item_of_wrong_type": (asked(tags=[1]), "input.tags.0: Invalid type. Expected: string, given: integer"),
    "missing_upload": (
        asked(image="http://localhost:8000/v1/files/0123456789abcdefghjkmnpqrs"),
        "input.image: The file does not exist, has expired, or belongs to another account",
    ),
}


@pytest.mark.parametrize(("given", "words"), WRONG_INPUTS.values(), ids=WRONG_INPUTS)
def test_a_wrong_input_is_named_with_its_place(api, version, given, words):
    answer = api.post("/v1/predictions", {"version": version.pk, "input": given})
    assert (answer.status_code, answer.json()["title"]) == (422, "Input validation failed")
    assert answer.json()["detail"] == f"- {words}\n"
    assert not Prediction.objects.exists()


WRONG_BODIES = {
    "no_input": ({"input": ...}, "input is required"),
    "input_is_a_list": ({"input": []}, "input: Invalid type. Expected: object, given: array"),
    "version_is_a_number": ({"version": 5}, "version: Invalid type. Expected: string, given: integer"),
    "surplus_member": ({"wait": 5}, "Additional property wait is not allowed"),
    "stream_is_a_word": ({"stream": "yes"}, "stream: Invalid type. Expected: boolean, given: string"),
    "webhook_is_a_path": ({"webhook": "/hook"}, "webhook: Does not match format 'uri'"),
    "webhook_by_ftp": ({"webhook": "ftp://example.com/"}, "webhook: Does not match format 'uri'"),
    "webhook_with_a_blank": ({"webhook": "https://exa mple.com/"}, "webhook: Does not match format 'uri'"),
    "webhook_to_loopback": ({"webhook": "http://127.0.0.1:6379/"}, "127.0.0.1 is not a public address"),
    "webhook_to_localhost": ({"webhook": "http://localhost/"}, "localhost is this machine"),
    "webhook_to_metadata": ({"webhook": "http://169.254.169.254/"}, "169.254.169.254 is a link-local"),
    "webhook_to_a_disguised_address": ({"webhook": "http://2130706433/"}, "127.0.0.1 is not a public address"),
    "webhook_to_mapped_ipv6": ({"webhook": "http://[::ffff:10.0.0.1]/"}, "10.0.0.1 is not a public address"),
    "old_webhook_to_loopback": ({"webhook_completed": "http://10.0.0.1/"}, "10.0.0.1 is not a public address"),
    "unknown_event": (
        {"webhook_events_filter": ["start", "end"]},
        'webhook_events_filter.1: 1 must be one of the following: "start", "output", "logs", "completed"',
    ),
    "events_as_a_word": ({"webhook_events_filter": "start"}, "Invalid type. Expected: array, given: string"),
}


@pytest.mark.parametrize(("change", "words"), WRONG_BODIES.values(), ids=WRONG_BODIES)
def test_a_wrong_body_is_named_with_its_place(api, version, change, words):
    body = {"version": version.pk, "input": {"text": "hi"}, **change}
    answer = api.post("/v1/predictions", {name: value for name, value in body.items() if value is not ...})
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert not Prediction.objects.exists()


MALFORMED = {
    "no_json": b"{nope",
    "a_list": b"[1]",
    "a_number": b"5",
    "cut_off": b'{"version": "a',
    "no_utf8": b'{"version": "\xff"}',
    "half_a_surrogate": rb'{"version": "\ud800"}',
    "deep": b'{"input": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_json_object_is_malformed(api, version, body):
    answer = api.post("/v1/predictions", content=body)
    assert (answer.status_code, answer.json()["title"]) == (400, "Malformed request")


def test_an_oversized_body_is_refused_with_the_limit(api, version):
    answer = api.post("/v1/predictions", content=b" " * (33 * 1024 * 1024))
    assert answer.status_code == 413
    assert "at most 33554432 bytes" in answer.json()["detail"]


def test_an_oversized_body_of_unknown_length_is_refused_too(api, version):
    async def endless():
        for _ in range(40):
            yield b" " * (1024 * 1024)

    assert api.post("/v1/predictions", content=endless()).status_code == 413


def test_an_upload_that_is_too_large_is_refused_in_the_words_that_clients_know(api):
    content = b"0" * (101 * 1024 * 1024)
    answer = api.post("/v1/files", files={"content": ("big.bin", content)})
    assert (answer.status_code, answer.json()["detail"]) == (413, "Files must be less than 100MB in size")


def test_a_nul_character_in_a_filter_is_refused(api):
    answer = api.get("/v1/events", params={"subject": "prediction/\x00"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "Text may not contain the character NUL")


def test_a_nul_character_breaks_nothing(api, version):
    answer = api.post("/v1/predictions", {"version": version.pk, "input": {"text": "a\x00b"}})
    assert (answer.status_code, answer.json()["input"]) == (201, {"text": "a\ufffdb"})
    assert api.get("/v1/models/alice/echo%00").status_code == 404


TOKENS = {
    None: "You did not pass an authentication token",
    "Bearer": "You did not pass an authentication token",
    "Basic abc": "You did not pass an authentication token",
    "Bearer r8_unknown": "You did not pass a valid authentication token",
    "Bearer caf\u00e9": "You did not pass a valid authentication token",
}


@pytest.mark.parametrize(("header", "words"), TOKENS.items())
def test_a_bad_token_is_refused_before_the_body_is_read(anonymous_api, header, words):
    headers = {"Authorization": header.encode()} if header else {}
    answer = anonymous_api.post("/v1/predictions", content=b"{nope", headers=headers)
    assert answer.json() == {"title": "Unauthenticated", "detail": words, "status": 401}


def test_a_revoked_token_is_refused_at_once(api, alice):
    from accounts import tokens

    assert api.get("/v1/account").status_code == 200
    tokens.revoke(caller_of(alice), alice.tokens.get().pk)
    assert api.get("/v1/account").status_code == 401


def test_the_token_of_a_suspended_account_is_refused_at_once(api, alice):
    from accounts import suspension
    from tests.accounts.factories import UserFactory

    assert api.get("/v1/account").status_code == 200
    suspension.suspend(UserFactory.create(is_staff=True), alice, reason="abuse")
    assert api.get("/v1/account").status_code == 401


@pytest.mark.parametrize("part", ["", "/readme", "/examples", "/versions"])
def test_a_strangers_private_model_looks_like_a_missing_one(stranger_api, alice, part):
    ModelFactory.create(account=alice, name="secret", visibility="private", readme="x")
    hidden, missing = (stranger_api.get(f"/v1/models/alice/{name}{part}") for name in ("secret", "nothing"))
    assert (hidden.status_code, hidden.json()) == (missing.status_code, missing.json()) == (404, missing.json())


WRONG_MODELS = {
    "empty": ({}, ["/owner", "/name", "/visibility", "/hardware"]),
    "name_with_blanks": ({"name": "My Model"}, ["/name"]),
    "unknown_hardware": ({"hardware": "gpu-x9"}, ["/hardware"]),
    "unknown_visibility": ({"visibility": "secret"}, ["/visibility"]),
    "link_by_javascript": ({"github_url": "javascript:alert(1)"}, ["/github_url"]),
    "number_for_name": ({"name": 5}, ["/name"]),
}


@pytest.mark.parametrize(("change", "pointers"), WRONG_MODELS.values(), ids=WRONG_MODELS)
def test_every_mistake_in_a_new_model_is_named(api, change, pointers):
    right = {"owner": "alice", "name": "new", "visibility": "public", "hardware": "cpu"}
    answer = api.post("/v1/models", {**right, **change} if change else {})
    assert (answer.status_code, answer.json()["title"]) == (400, "Validation failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


def test_a_model_under_a_strangers_name_is_forbidden(api, stranger):
    body = {"owner": "stranger", "name": "new", "visibility": "public", "hardware": "cpu"}
    assert api.post("/v1/models", body).status_code == 403


def test_a_name_that_is_taken_is_a_conflict_not_to_be_retried(api, version):
    body = {"owner": "alice", "name": "echo", "visibility": "public", "hardware": "cpu"}
    answer = api.post("/v1/models", body)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    assert answer.json()["errors"][0]["detail"] == "A model with that name and owner already exists."


QUERIES = {
    "/v1/predictions?source=api": "?source",
    "/v1/predictions?created_after=yesterday": "?created_after",
    "/v1/predictions?created_before=2026-13-01T00:00:00Z": "?created_before",
    "/v1/models?sort_by=name": "?sort_by",
    "/v1/models?sort_direction=up": "?sort_direction",
}


@pytest.mark.parametrize(("path", "pointer"), QUERIES.items())
def test_a_wrong_query_parameter_is_named(api, path, pointer):
    answer = api.get(path)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


@pytest.mark.parametrize("cursor", ["abc", "cD1nYXJiYWdl", "cD0lMDA=", "%ff", "bz0tNQ=="])
def test_a_made_up_cursor_is_not_found(api, cursor):
    answer = api.get(f"/v1/predictions?cursor={cursor}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Invalid cursor")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/models"),
        ("DELETE", "/v1/predictions"),
        ("GET", "/v1/predictions/x/cancel"),
        ("POST", "/v1/account"),
    ],
)
def test_a_wrong_method_is_refused_with_the_right_ones(api, method, path):
    answer = api.request(method, path)
    assert answer.status_code == 405
    assert answer.json()["detail"] == f'Method "{method}" not allowed.'
    assert answer.headers["allow"]


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nope", "/v1/account/", "/v1/v1/nope"])
def test_an_unknown_path_is_json_and_never_a_redirect(api, path):
    answer = api.get(path)
    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_a_defect_of_ours_says_so_and_tells_clients_not_to_repeat(api, version, monkeypatch):
    monkeypatch.setattr("runner.predictions.get_prediction", lambda *_: 1 / 0)
    answer = api.get("/v1/predictions/x", raise_app_exceptions=False)
    assert (answer.status_code, answer.json()["detail"]) == (500, "Internal server error")
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("1104-12-23T02:46:14-20:48", 200),  # a zone that the database does not know
        ("0001-01-01T00:00:00+20:00", 400),  # before the first year
        ("9999-12-31T23:59:59-20:00", 400),
        ("2026-01-02", 200),
    ],
)
def test_odd_moments_are_moments_or_refused(api, moment, status):
    assert api.get("/v1/predictions", params={"created_after": moment}).status_code == status
