"""The filters of the list of predictions, and tags."""

import datetime

import pytest
from django.db import connection
from django.utils import timezone

from runner import lifecycle, tags
from runner.models import Deployment, Prediction
from tests.accounts.factories import AccountFactory
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction, start


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice, model__name="echo")


def listed(api, query):
    answer = api.get(f"/v1/predictions?{query}")
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["results"]}


def test_by_state(api, version):
    waiting, running, ended = (make_prediction(version) for _ in range(3))
    start(running)
    end(ended)
    assert listed(api, "status=starting") == {waiting.pk}
    assert listed(api, "status=processing") == {running.pk}
    assert listed(api, "status=succeeded") == {ended.pk}


def test_aborted_is_found_as_it_is_shown(api, version, settings):
    prediction = make_prediction(version)
    lifecycle.end_many([lifecycle.Outcome(prediction.pk, None, "aborted")])
    assert (listed(api, "status=aborted"), listed(api, "status=canceled")) == ({prediction.pk}, set())
    settings.REPORT_ABORTED_AS_CANCELED = True
    assert (listed(api, "status=aborted"), listed(api, "status=canceled")) == (set(), {prediction.pk})


def test_by_model_in_any_case(api, alice, version):
    made = make_prediction(version)
    make_prediction(VersionFactory.create(model__account=alice, model__name="other"))
    assert listed(api, "model=ALICE/Echo") == {made.pk}
    assert listed(api, "model=alice/nothing") == set()


def test_by_deployment_and_of_a_deleted_one_by_its_name(api, alice, version):
    made, old, _ = (make_prediction(version) for _ in range(3))
    deployment = Deployment.objects.create(account=alice, name="prod")
    Prediction.objects.filter(pk=made.pk).update(deployment=deployment, deployment_name="alice/prod")
    Prediction.objects.filter(pk=old.pk).update(deployment_name="alice/old")
    assert listed(api, "deployment=alice/Prod") == {made.pk}
    assert listed(api, "deployment=alice/old") == {old.pk}


def test_by_tags_that_must_all_be_there(api, version):
    both, one = make_prediction(version, tags=["a", "b"]), make_prediction(version, tags=["a"])
    make_prediction(version)
    assert listed(api, "tag=a") == {both.pk, one.pk}
    assert listed(api, "tag=a&tag=b") == {both.pk}


def test_filters_are_kept_by_the_links_to_other_pages(api, version):
    for _ in range(101):
        make_prediction(version, tags=["x"])
    make_prediction(version)
    page = api.get("/v1/predictions?tag=x&status=starting").json()
    assert "tag=x" in page["next"] and "status=starting" in page["next"]
    assert len(api.get(page["next"]).json()["results"]) == 1


WRONG = ["status=done", "model=echo", "model=a/b/c", "deployment=prod", f"tag={'x' * 65}", "tag=%00", "source=x"]


@pytest.mark.parametrize("query", WRONG)
def test_a_value_that_makes_no_sense_is_refused_by_its_name(api, query):
    answer = api.get(f"/v1/predictions?{query}")
    pointer = answer.json()["errors"][0]["pointer"]
    assert (answer.status_code, pointer) == (400, f"?{query.partition('=')[0]}")


@pytest.mark.parametrize("query", ["created_after=yesterday", "created_before=2026-13-01"])
def test_a_moment_that_makes_no_sense_is_refused_by_its_name(api, query):
    assert api.get(f"/v1/predictions?{query}").json()["errors"][0]["pointer"] == f"?{query.partition('=')[0]}"


def test_trainings_are_no_predictions(api, version):
    training = make_prediction(version)
    Prediction.objects.update(kind=Prediction.Kind.TRAINING)
    assert listed(api, "") == set()
    assert api.get(f"/v1/predictions/{training.pk}").status_code == 404
    assert api.post(f"/v1/predictions/{training.pk}/cancel").status_code == 404


def test_a_search_by_tag_uses_its_index(committed):
    version = VersionFactory.create(model__account=AccountFactory.create())
    make_prediction(version, tags=["rare"])
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        plan = tags.tagged(Prediction.objects.all(), ["rare"]).explain()
        cursor.execute("RESET enable_seqscan")
    assert "prediction_by_tag" in plan


# --- Tags -----------------------------------------------------------------------------------------------------------


def test_tags_are_given_at_the_creation_and_echoed_once_each(api, version):
    body = {"version": version.pk, "input": {"text": "hi"}, "tags": ["b", "a", "b"]}
    document = api.post("/v1/predictions", body).json()
    assert document["tags"] == ["b", "a"]
    assert api.get(f"/v1/predictions/{document['id']}").json()["tags"] == ["b", "a"]


def test_a_prediction_without_tags_shows_none(api, version):
    assert "tags" not in api.get(f"/v1/predictions/{make_prediction(version).pk}").json()


@pytest.mark.parametrize(("given", "left"), [(["c"], ["c"]), ([], None)])
def test_tags_are_replaced(api, version, given, left):
    prediction = end(make_prediction(version, tags=["a"]))
    answer = api.request("PATCH", f"/v1/predictions/{prediction.pk}", json={"tags": given})
    assert (answer.status_code, answer.json().get("tags")) == (200, left)


def test_a_change_of_nothing_changes_nothing(api, version):
    prediction = make_prediction(version, tags=["a"])
    assert api.request("PATCH", f"/v1/predictions/{prediction.pk}", json={}).json()["tags"] == ["a"]


WRONG_TAGS = {
    "no_list": ("a", "tags: Invalid type. Expected: array, given: string"),
    "null_item": ([None], "tags.0: Invalid type. Expected: string, given: null"),
    "empty": (["a", ""], "tags.1: String length must be greater than or equal to 1"),
    "long": (["x" * 65], "tags.0: String length must be less than or equal to 64"),
    "many_equal": (["x"] * 11, "tags: Array must have at most 10 items"),
    "many": ([str(n) for n in range(11)], "tags: Array must have at most 10 items"),
    "control": (["a\x00"], "tags.0: Must have printable characters only"),
}


@pytest.mark.parametrize(("given", "words"), WRONG_TAGS.values(), ids=WRONG_TAGS)
def test_wrong_tags_are_named_with_their_place(api, version, given, words):
    created = api.post("/v1/predictions", {"version": version.pk, "input": {"text": "hi"}, "tags": given})
    changed = api.request("PATCH", f"/v1/predictions/{make_prediction(version).pk}", json={"tags": given})
    assert [answer.status_code for answer in (created, changed)] == [422, 422]
    assert created.json()["detail"] == changed.json()["detail"] == f"- {words}\n"


def test_nothing_but_tags_can_be_changed(api, version):
    answer = api.request("PATCH", f"/v1/predictions/{make_prediction(version).pk}", json={"status": "succeeded"})
    assert answer.json()["invalid_fields"][0]["type"] == "additional_property_not_allowed"


def test_a_strangers_prediction_is_not_changed(stranger_api, version):
    prediction = make_prediction(version)
    assert stranger_api.request("PATCH", f"/v1/predictions/{prediction.pk}", json={"tags": ["x"]}).status_code == 404


def test_web_predictions_are_listed_for_14_days(api, version):
    make_prediction(version, source="web")
    Prediction.objects.update(created_at=timezone.now() - datetime.timedelta(days=15))
    assert listed(api, "source=web") == set()
