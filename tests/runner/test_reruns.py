"""A prediction run again: what is repeated, what changes, and what can't be repeated."""

import pytest

from models_catalog import lookup
from models_catalog.models import Model
from runner import secret_inputs
from runner.models import Prediction
from tests.models_catalog.factories import VersionFactory, schema
from tests.runner.factories import end, make_prediction

FIELDS = {
    "text": {"type": "string"},
    "width": {"type": "integer", "maximum": 4, "default": 1},
    "key": {"type": "string", "x-cog-secret": True, "default": ""},
}


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo", openapi_schema=schema(FIELDS))


def rerun(api, prediction, body=None, **options):
    return api.post(f"/v1/predictions/{prediction.pk}/rerun", body, **options)


def test_the_same_is_run_again(api, version):
    first = end(make_prediction(version, input={"text": "hi", "width": 2}))
    answer = rerun(api, first)
    document = answer.json()
    assert (answer.status_code, document["status"], document["version"]) == (201, "starting", version.pk)
    assert (document["input"], document["rerun_of"]) == ({"text": "hi", "width": 2}, first.pk)
    assert document["id"] != first.pk
    assert answer.headers["location"] == document["urls"]["get"]
    assert api.get(document["urls"]["get"]).json()["rerun_of"] == first.pk


def test_changes_are_put_over_the_input_and_null_removes(api, version):
    first = make_prediction(version, input={"text": "hi", "width": 2})
    document = rerun(api, first, {"input": {"text": "ho", "width": None}}).json()
    assert document["input"] == {"text": "ho"}


def test_the_merged_input_is_checked(api, version):
    answer = rerun(api, make_prediction(version), {"input": {"width": 9}})
    assert (answer.status_code, answer.json()["invalid_fields"][0]["field"]) == (422, "input.width")


def test_another_version_may_be_run(api, version):
    newer = VersionFactory.create(model=version.model, openapi_schema=schema(FIELDS))
    document = rerun(api, make_prediction(version), {"version": newer.pk}).json()
    assert document["version"] == newer.pk


def test_other_members_are_those_of_this_call(api, version):
    first = make_prediction(version, tags=["old"])
    assert "tags" not in rerun(api, first).json()
    assert rerun(api, first, {"tags": ["new"]}).json()["tags"] == ["new"]


def test_what_was_called_by_name_keeps_its_version_hidden(api, version):
    Model.objects.update(is_official=True)
    first = make_prediction(version, by_name=True)
    assert rerun(api, first).json()["version"] == "hidden"


def test_a_wait_is_honoured(api, version):
    answer = rerun(api, make_prediction(version), headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "wait=1")


def test_it_may_be_quoted(api, version):
    assert rerun(api, make_prediction(version), {"dry_run": True}).json()["dry_run"] is True
    assert Prediction.objects.count() == 1


def test_a_secret_must_be_given_again_and_is_named(api, version):
    first = make_prediction(version, input={"text": "hi", "key": "hunter2"})
    answer = rerun(api, first)
    assert answer.status_code == 422
    [wrong] = answer.json()["invalid_fields"]
    assert (wrong["type"], wrong["field"]) == ("required", "input.key")
    assert "give it again" in wrong["description"]


@pytest.mark.parametrize("changes", [{"key": "new"}, {"key": None}])
def test_a_secret_that_is_given_again_or_left_out_is_no_obstacle(api, version, changes):
    first = make_prediction(version, input={"text": "hi", "key": "hunter2"})
    document = rerun(api, first, {"input": changes}).json()
    again = Prediction.objects.get(pk=document["id"])
    assert secret_inputs.unseal(again.sealed_secrets) == {k: v for k, v in changes.items() if v}


def test_what_has_been_removed_is_not_run_again(api, version):
    first = end(make_prediction(version))
    Prediction.objects.update(data_removed=True, input={})
    answer = rerun(api, first)
    assert (answer.status_code, answer.json()["title"]) == (410, "Prediction data removed")


def test_a_version_that_may_no_longer_be_run_gets_the_known_answer(api, version):
    first = end(make_prediction(version))
    Model.objects.update(hidden_at="2026-01-01T00:00:00Z")
    lookup.forget_facts()
    assert rerun(api, first).json()["title"] == "Invalid version or not permitted"


def test_members_of_wrong_type_are_named(api, version):
    answer = rerun(api, make_prediction(version), {"input": [], "more": 1})
    assert {one["type"] for one in answer.json()["invalid_fields"]} == {
        "invalid_type",
        "additional_property_not_allowed",
    }


def test_a_stranger_cannot_tell_a_prediction_from_a_missing_one(stranger_api, version):
    theirs = make_prediction(version).pk
    hidden, missing = (stranger_api.post(f"/v1/predictions/{pk}/rerun") for pk in (theirs, "0" * 26))
    assert (hidden.status_code, hidden.json()) == (missing.status_code, missing.json())
    assert hidden.status_code == 404


def test_a_repetition_under_one_key_runs_once(api, version):
    first = make_prediction(version)
    answers = [rerun(api, first, headers={"Idempotency-Key": "k"}).json()["id"] for _ in range(2)]
    assert answers[0] == answers[1]
