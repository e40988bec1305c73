"""Predictions over the API, without a runner: what is accepted, refused, shown, and when."""

import datetime
import threading
import time

import pytest
from asgiref.sync import async_to_sync
from django.db import connection

from models_catalog.models import Model
from runner import streams
from runner.models import Prediction
from runner.states import Status
from tests.models_catalog.factories import TEXT_ITERATOR, ModelFactory, VersionFactory, schema
from tests.runner.factories import end, make_prediction, start

BAD_VERSION = {
    "title": "Invalid version or not permitted",
    "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)",
    "status": 422,
}


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo")


@pytest.fixture
def iterator(alice):
    return VersionFactory.create(model__account=alice, model__name="words", openapi_schema=schema(output=TEXT_ITERATOR))


def body_for(of, **members):
    return {"version": of.pk, "input": {"text": "hi"}, **members}


def test_a_creation_is_answered_at_once_as_starting(api, version):
    answer = api.post("/v1/predictions", body_for(version))
    assert answer.status_code == 201
    assert answer.json()["status"] == "starting"
    assert answer.json()["output"] is None
    assert answer.headers["location"] == answer.json()["urls"]["get"]
    assert "preference-applied" not in answer.headers


def test_the_document_is_the_golden_one(api, version, golden):
    prediction = end(make_prediction(version), output="HI", logs="shouting\n", predict_us=1_500_000)
    document = api.get(f"/v1/predictions/{prediction.pk}").json()
    golden("prediction_succeeded", document)


def test_an_iterator_starts_with_an_empty_list_and_a_stream(api, iterator):
    document = api.post("/v1/predictions", body_for(iterator)).json()
    assert document["output"] == []
    assert "/v1/streams/" in document["urls"]["stream"]


def test_json_is_read_whatever_the_content_type_says(api, version):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert api.post("/v1/predictions", body_for(version), headers=form).status_code == 201


@pytest.mark.parametrize("form", ["{id}", "alice/echo:{id}", "ALICE/Echo:{id}"])
def test_a_version_may_be_named_by_its_id(api, version, form):
    answer = api.post("/v1/predictions", body_for(version, version=form.format(id=version.pk)))
    assert answer.status_code == 201
    assert answer.json()["version"] == version.pk


def test_a_version_id_is_found_in_upper_case_too(api, version):
    assert api.post("/v1/predictions", body_for(version, version=version.pk.upper())).status_code == 201


@pytest.mark.parametrize("reference", ["alice/echo", "abcdef", "alice/echo:latest", "bob/echo:{id}", "0" * 64, ""])
def test_other_references_get_one_answer(api, version, reference):
    answer = api.post("/v1/predictions", body_for(version, version=reference.format(id=version.pk)))
    assert (answer.status_code, answer.json()) == (422, BAD_VERSION)


def test_a_strangers_private_version_looks_like_none(stranger_api, version):
    Model.objects.update(visibility="private")
    assert stranger_api.post("/v1/predictions", body_for(version)).json() == BAD_VERSION


def test_an_official_model_runs_by_name_with_its_version_hidden(api, version):
    Model.objects.update(is_official=True)
    by_path = api.post("/v1/models/alice/echo/predictions", {"input": {"text": "hi"}})
    by_body = api.post("/v1/predictions", body_for(version, version="alice/echo"))
    assert [by_path.status_code, by_body.status_code] == [201, 201]
    assert [by_path.json()["version"], by_body.json()["model"]] == ["hidden", "alice/echo"]


def test_a_model_that_is_not_official_has_no_endpoint_of_its_own(api, version):
    answer = api.post("/v1/models/alice/echo/predictions", {"input": {"text": "hi"}})
    assert answer.json() == {"detail": "The requested resource could not be found.", "status": 404}


def test_missing_version_and_surplus_member_are_both_named(api, version):
    answer = api.post("/v1/predictions", {"model": "alice/echo", "input": {"text": "hi"}})
    assert answer.json()["invalid_fields"] == [
        {"type": "required", "field": "", "description": "version is required"},
        {
            "type": "additional_property_not_allowed",
            "field": "",
            "description": "Additional property model is not allowed",
        },
    ]


def test_a_wait_that_runs_out_is_answered_as_starting_in_time(api, iterator):
    began = time.monotonic()
    answer = api.post("/v1/predictions", body_for(iterator), headers={"Prefer": "wait=1"})
    assert 0.9 < time.monotonic() - began < 2
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "wait=1")
    assert (answer.json()["status"], answer.json()["output"]) == ("starting", [])


def test_a_wait_is_answered_with_the_end(api, version):
    def end_it() -> None:
        until = time.monotonic() + 5
        while not (waiting := Prediction.objects.first()) and time.monotonic() < until:
            pass
        assert waiting
        async_to_sync(streams.publish)(waiting.pk, [streams.last_event(end(waiting, output="HI"))])
        connection.close()

    runner = threading.Thread(target=end_it)
    runner.start()
    began = time.monotonic()
    answer = api.post("/v1/predictions", body_for(version), headers={"Prefer": "wait=10"})
    assert time.monotonic() - began < 2.5, "it was told, and did not have to look"
    runner.join()
    assert (answer.status_code, answer.json()["status"], answer.json()["output"]) == (201, "succeeded", "HI")


@pytest.mark.parametrize("preference", ["wait=0", "wait=abc", "respond-async", "wait=-1"])
def test_preferences_that_make_no_sense_are_ignored(api, version, preference):
    answer = api.post("/v1/predictions", body_for(version), headers={"Prefer": preference})
    assert answer.status_code == 201
    assert "preference-applied" not in answer.headers


def test_a_refused_input_says_too_which_preference_was_honoured(api, version):
    refused = {
        name: api.post("/v1/predictions", body_for(version, input={}), headers=headers)
        for name, headers in {"waiting": {"Prefer": "wait=3"}, "not": {}}.items()
    }
    assert [answer.status_code for answer in refused.values()] == [422, 422]
    assert refused["waiting"].headers["preference-applied"] == "wait=3"
    assert "preference-applied" not in refused["not"].headers


@pytest.mark.parametrize(("header", "seconds"), [("30", 30), ("30s", 30), ("1m30s", 90), ("2h", 7200)])
def test_a_deadline_counts_from_the_creation(api, version, header, seconds):
    document = api.post("/v1/predictions", body_for(version), headers={"Cancel-After": header}).json()
    created, deadline = (datetime.datetime.fromisoformat(document[name]) for name in ("created_at", "deadline"))
    assert (deadline - created).total_seconds() == seconds


@pytest.mark.parametrize("header", ["4s", "25h", "abc", "-5", "1s1m", ""])
def test_a_deadline_that_makes_no_sense_is_refused(api, version, header):
    answer = api.post("/v1/predictions", body_for(version), headers={"Cancel-After": header})
    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Cancel-After header")


CHECKED_IN_ORDER = {
    "body before version": ({"version": "0" * 64, "more": 1}, {}, 422, "Input validation failed"),
    "version before headers": ({"version": "0" * 64}, {"Cancel-After": "x"}, 422, "Invalid version or not permitted"),
    "headers before input": ({"input": {}}, {"Cancel-After": "x"}, 400, "Invalid Cancel-After header"),
}


@pytest.mark.parametrize(
    ("members", "headers", "status", "title"), CHECKED_IN_ORDER.values(), ids=list(CHECKED_IN_ORDER)
)
def test_what_is_wrong_is_found_in_one_order(api, version, members, headers, status, title):
    answer = api.post("/v1/predictions", body_for(version, **members), headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (status, title)


def test_the_input_is_echoed_as_sent_with_secrets_hidden(api, alice):
    fields = {"key": {"type": "string", "x-cog-secret": True}, "times": {"type": "integer", "default": 2}}
    version = VersionFactory.create(model__account=alice, openapi_schema=schema(fields))
    document = api.post("/v1/predictions", body_for(version, input={"key": "hunter2", "more": 1})).json()
    assert document["input"] == {"key": "[REDACTED]", "more": 1}
    sealed = Prediction.objects.get().sealed_secrets
    assert sealed and b"hunter2" not in bytes(sealed)


def test_webhooks_are_echoed_but_not_the_old_form(api, version):
    new = body_for(version, webhook="https://hooks.example.com/x", webhook_events_filter=["start", "start"])
    old = body_for(version, webhook_completed="https://hooks.example.com/x", stream=True)
    documents = [api.post("/v1/predictions", body).json() for body in (new, old)]
    assert documents[0]["webhook_events_filter"] == ["start"]
    assert "webhook" not in documents[1]
    assert Prediction.objects.get(pk=documents[1]["id"]).webhook_events == ["completed"]


def test_a_queued_prediction_is_canceled_at_once_and_stays_so(api, version):
    prediction = make_prediction(version)
    answers = [api.post(f"/v1/predictions/{prediction.pk}/cancel") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert (answers[0].json()["status"], answers[0].json()["started_at"]) == ("canceled", None)


def test_a_running_prediction_is_canceled_even_if_no_runner_answers(api, version):
    prediction = make_prediction(version)
    start(prediction)
    document = api.post(f"/v1/predictions/{prediction.pk}/cancel").json()
    assert (document["status"], document["error"]) == ("canceled", None)
    assert document["metrics"]["predict_time"] >= 0


def test_an_ended_prediction_is_not_changed_by_a_cancel(api, version):
    prediction = end(make_prediction(version), output="HI")
    assert api.post(f"/v1/predictions/{prediction.pk}/cancel").json()["status"] == Status.SUCCEEDED


def test_a_stranger_cannot_tell_a_prediction_from_a_missing_one(stranger_api, version):
    theirs = make_prediction(version).pk
    for path in ("/v1/predictions/{}", "/v1/predictions/{}/cancel"):
        method = "POST" if path.endswith("cancel") else "GET"
        hidden, missing = (stranger_api.request(method, path.format(pk)) for pk in (theirs, "0" * 26))
        assert (hidden.status_code, hidden.json()) == (missing.status_code, missing.json())


def test_the_list_is_newest_first_and_only_ones_own(api, stranger_api, version):
    made = [make_prediction(version).pk for _ in range(3)]
    assert [item["id"] for item in api.get("/v1/predictions").json()["results"]] == made[::-1]
    assert stranger_api.get("/v1/predictions").json()["results"] == []


def test_the_list_filters_by_time_with_any_spelling_of_it(api, version):
    first, second = make_prediction(version), make_prediction(version)
    exact = second.created_at.isoformat()
    after = api.get("/v1/predictions", params={"created_after": exact}).json()["results"]
    before = api.get(f"/v1/predictions?created_before={exact}").json()["results"]  # a raw + arrives as a blank
    assert [item["id"] for item in after] == [second.pk]
    assert [item["id"] for item in before] == [first.pk]


def test_the_list_can_show_only_what_the_site_made(api, version):
    made = make_prediction(version, source="web")
    make_prediction(version)
    assert [item["id"] for item in api.get("/v1/predictions?source=web").json()["results"]] == [made.pk]


def test_pages_follow_each_other_without_loss_or_repeat(api, version):
    made = {make_prediction(version).pk for _ in range(103)}
    first = api.get("/v1/predictions").json()
    second = api.get(first["next"]).json()
    assert first["next"].startswith("http://localhost")
    assert second["previous"] is not None
    seen = [item["id"] for page in (first, second) for item in page["results"]]
    assert (len(seen), set(seen)) == (103, made)


def test_every_call_of_a_burst_is_stored_once(api, version):
    answers = []
    calls = [
        threading.Thread(target=lambda: answers.append(api.post("/v1/predictions", body_for(version))))
        for _ in range(12)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert {answer.json()["id"] for answer in answers} == set(Prediction.objects.values_list("pk", flat=True))


def test_a_model_of_another_account_may_be_run_when_public(stranger_api, version):
    assert stranger_api.post("/v1/predictions", body_for(version)).status_code == 201


def test_a_hidden_model_is_run_by_nobody(api, alice):
    version = VersionFactory.create(
        model=ModelFactory.create(account=alice, hidden_at=datetime.datetime.now(datetime.UTC))
    )
    assert api.post("/v1/predictions", body_for(version)).json() == BAD_VERSION
