"""Checklist 43 to 60: creating predictions.  Source: replicate-api.md 8."""

import datetime
import re

import pytest

from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract
BAD_VERSION = {
    "title": "Invalid version or not permitted",
    "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)",
    "status": 422,
}
MISSING = {"detail": "The requested resource could not be found.", "status": 404}


def create(site: LiveSite, version, value=None, *, headers=None, token=None, **members):
    body = {"version": version, "input": {"text": "hi"} if value is None else value, **members}
    return site.request("POST", "/v1/predictions", json=body, headers=headers or {}, token=token)


def hex_of(reference):
    return reference.partition(":")[2]


def invalid(answer):
    assert answer.status_code == 422, answer.text
    assert answer.json()["title"] == "Input validation failed"
    return [(one["type"], one["field"], one["description"]) for one in answer.json()["invalid_fields"]]


@pytest.fixture(scope="module")
def private(live_site: LiveSite) -> str:
    return live_site.publish("echo", "private-echo", visibility="private")


def test_item_043_a_version_is_named_by_its_id_by_both_or_by_an_official_models_name(live_site, echo, official_echo):
    answers = [create(live_site, reference) for reference in (hex_of(echo), echo, official_echo)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]


@pytest.mark.parametrize("form", ["nina/echo", "{short}", "nina/echo:latest", "0" * 64, "nina/echo:" + "0" * 64])
def test_item_044_other_references_get_one_answer(live_site, echo, form):
    answer = create(live_site, form.format(short=hex_of(echo)[:12]))
    assert (answer.status_code, answer.json()) == (422, BAD_VERSION)


def test_item_044_somebody_elses_private_version_looks_like_none(live_site, private, ludo):
    assert create(live_site, private).status_code == 201
    answer = create(live_site, private, token=ludo)
    assert (answer.status_code, answer.json()) == (422, BAD_VERSION)


def test_item_045_the_version_of_another_model_is_refused(live_site, echo, official_echo):
    answer = create(live_site, f"{official_echo}:{hex_of(echo)}")
    assert (answer.status_code, answer.json()) == (422, BAD_VERSION)


def test_item_046_an_official_model_has_an_endpoint_of_its_own(live_site, official_echo):
    answer = live_site.request("POST", f"/v1/models/{official_echo}/predictions", json={"input": {"text": "hi"}})
    assert answer.status_code == 201
    assert (answer.json()["model"], answer.json()["version"]) == (official_echo, "hidden")


def test_item_046_other_models_have_none(live_site, echo):
    for name in ("nina/echo", "nina/no-such-model"):
        answer = live_site.request("POST", f"/v1/models/{name}/predictions", json={"input": {"text": "hi"}})
        assert (answer.status_code, answer.json()) == (404, MISSING)


def test_item_048_without_prefer_the_answer_is_starting(live_site, echo, words):
    answer = create(live_site, echo)
    document = answer.json()
    assert (answer.status_code, document["status"]) == (201, "starting")
    assert (document["output"], document["started_at"]) == (None, None)
    assert "preference-applied" not in answer.headers
    assert create(live_site, words, {"count": 1}).json()["output"] == []


def test_item_049_location_is_where_it_can_be_read(live_site, echo):
    answer = create(live_site, echo)
    assert answer.headers["location"] == answer.json()["urls"]["get"]


def test_item_050_a_missing_and_a_surplus_member_give_the_two_recorded_entries(live_site):
    answer = live_site.request("POST", "/v1/predictions", json={"model": "nina/echo", "input": {"text": "hi"}})
    assert invalid(answer) == [
        ("required", "", "version is required"),
        ("additional_property_not_allowed", "", "Additional property model is not allowed"),
    ]


def test_item_051_a_missing_input_is_named(live_site, echo):
    answer = create(live_site, echo, {})
    assert invalid(answer) == [("required", "input", "text is required")]
    assert answer.json()["detail"] == "- input: text is required\n"


def test_item_052_an_option_that_is_none_and_a_number_too_large_are_named(live_site, echo):
    crash = live_site.publish("crash")
    options = 'how must be one of the following: "exit", "signal", "memory", "no"'
    assert invalid(create(live_site, crash, {"how": "loudly"})) == [("enum", "input.how", options)]
    too_many = create(live_site, echo, {"text": "x", "repeat": 1001})
    assert invalid(too_many) == [("number_lte", "input.repeat", "Must be less than or equal to 1000")]


def test_item_053_two_violations_are_two_entries_and_two_lines(live_site, echo):
    answer = create(live_site, echo, {"repeat": 0})
    assert [field for _, field, _ in invalid(answer)] == ["input", "input.repeat"]
    assert len(answer.json()["detail"].splitlines()) == 2


def test_item_054_types_are_strict_and_unknown_members_are_echoed(live_site, echo):
    wrong = create(live_site, echo, {"text": "x", "repeat": "2"})
    assert invalid(wrong) == [
        ("invalid_type", "input.repeat", "Invalid type. Expected: integer, given: string"),
    ]
    surplus = create(live_site, echo, {"text": "x", "guidance_scale": 7.5})
    assert (surplus.status_code, surplus.json()["input"]) == (201, {"text": "x", "guidance_scale": 7.5})


def test_item_055_the_input_is_echoed_without_defaults(live_site, echo):
    assert create(live_site, echo, {"text": "x"}, headers={"Prefer": "wait=30"}).json()["input"] == {"text": "x"}


def test_item_055_a_secret_is_seen_by_nobody_but_the_model(live_site, keyed, receiver):
    secret = "hunter2-and-more"
    value = {"key": secret, "note": "plain"}
    answer = create(
        live_site,
        keyed,
        value,
        headers={"Prefer": "wait=50"},
        webhook=receiver.url,
        webhook_events_filter=["start", "logs", "completed"],
    )
    document = answer.json()
    assert (document["status"], document["output"]) == ("succeeded", f"{len(secret)} characters")
    assert document["input"] == {"key": "[REDACTED]", "note": "plain"}
    assert "the key is [REDACTED], the note plain" in document["logs"]
    assert secret not in live_site.request("GET", document["urls"]["get"]).text
    told = receiver.wait_for(2)
    assert any(b'"succeeded"' in one.body for one in told)
    assert not [one for one in told if secret.encode() in one.body]


def test_item_055_nor_is_it_seen_in_the_words_of_a_failure(live_site, keyed):
    value = {"key": "hunter2-and-more", "fail": True}
    document = create(live_site, keyed, value, headers={"Prefer": "wait=50"}).json()
    assert (document["status"], document["error"]) == ("failed", "ValueError: the key [REDACTED] does not fit")
    assert "hunter2" not in live_site.request("GET", document["urls"]["get"]).text


def test_item_056_deprecated_members_are_accepted(live_site, echo, receiver):
    answer = create(live_site, echo, stream=True, webhook_completed=receiver.url)
    assert answer.status_code == 201
    assert "webhook" not in answer.json()
    [told] = receiver.wait_for(1)
    assert b'"succeeded"' in told.body


def test_item_057_a_bad_webhook_and_a_bad_filter_are_named(live_site, echo):
    [(kind, field, _)] = invalid(create(live_site, echo, webhook="not-a-url"))
    assert (kind, field) == ("format", "webhook")
    [(kind, field, _)] = invalid(create(live_site, echo, webhook_events_filter=["start", "finished"]))
    assert (kind, field) == ("enum", "webhook_events_filter.1")


def test_item_059_ids_and_times_have_their_form(live_site, echo):
    document = create(live_site, echo, headers={"Prefer": "wait=30", "Cancel-After": "5m"}).json()
    assert re.fullmatch(r"[a-z0-9]{26}", document["id"])
    for name in ("created_at", "started_at", "completed_at", "deadline"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", document[name]), name
    created = datetime.datetime.fromisoformat(document["created_at"])
    assert abs(datetime.datetime.now(datetime.UTC) - created) < datetime.timedelta(minutes=2)


def test_item_060_urls_say_what_can_be_called_and_nothing_is_null(live_site, echo, words):
    plain, iterator = create(live_site, echo).json()["urls"], create(live_site, words, {"count": 1}).json()["urls"]
    assert set(plain) == {"get", "cancel", "web"}
    assert set(iterator) == {"get", "cancel", "web", "stream"}
