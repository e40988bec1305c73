"""Batches: all or none, counted, canceled, in order; and their one end, whoever ends the last prediction and when."""

import threading
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from django.conf import settings
from django.db import connection, transaction

from models_catalog.models import Model
from runner import batch_ends, lifecycle, webhooks
from runner.lifecycle import Outcome
from runner.models import Batch, LoggedEvent, Prediction, WebhookDelivery
from runner.states import TERMINAL
from tests.billing.factories import fund
from tests.models_catalog.factories import VersionFactory, schema
from tests.runner.factories import end, start

HOOK = "https://hooks.example.com/batch"


@pytest.fixture
def version(alice):
    fields = {"text": {"type": "string"}, "width": {"type": "integer", "maximum": 4, "default": 1}}
    return VersionFactory.create(model__account=alice, model__name="echo", openapi_schema=schema(fields))


def made(api, version, count=3, **members):
    body = {"version": version.pk, "inputs": [{"text": str(n)} for n in range(count)], **members}
    answer = api.post("/v1/batches", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def rows_of(batch):
    return list(Prediction.objects.filter(batch=batch["id"]).order_by("batch_index"))


def end_one(prediction):
    """In a thread of its own, with a connection of its own."""
    try:
        lifecycle.end_many([Outcome(prediction.pk, None, "succeeded", output="x")])
    finally:
        connection.close()


def test_a_batch_makes_one_prediction_of_each_input(api, version):
    batch = made(api, version, tags=["nightly"], webhook=HOOK)
    assert (batch["status"], batch["total"], batch["counts"]["starting"]) == ("processing", 3, 3)
    assert (batch["webhook"], batch["tags"], batch["completed_at"]) == (HOOK, ["nightly"], None)
    rows = rows_of(batch)
    assert [row.input for row in rows] == [{"text": "0"}, {"text": "1"}, {"text": "2"}]
    assert {(tuple(row.tags), row.webhook) for row in rows} == {(("nightly",), "")}
    assert [row.pk for row in rows] == list(Prediction.objects.order_by("created_at").values_list("pk", flat=True)), (
        "the queue takes them in order"
    )


def test_location_is_where_it_can_be_read(api, version):
    answer = api.post("/v1/batches", {"version": version.pk, "inputs": [{"text": "x"}]})
    assert api.get(answer.headers["location"]).json() == answer.json()


def test_an_official_model_is_called_by_its_name(api, version):
    Model.objects.update(is_official=True)
    batch = api.post("/v1/batches", {"version": "alice/echo", "inputs": [{"text": "x"}]}).json()
    assert (batch["model"], batch["version"]) == ("alice/echo", "hidden")


def test_mistakes_of_all_inputs_are_named_with_their_place_and_nothing_is_made(api, version):
    inputs = [{"text": "fine"}, {}, {"text": "x", "width": 5}]
    answer = api.post("/v1/batches", {"version": version.pk, "inputs": inputs})
    assert (answer.status_code, answer.json()["title"]) == (422, "Input validation failed")
    assert [(one["field"], one["description"]) for one in answer.json()["invalid_fields"]] == [
        ("inputs.1", "text is required"),
        ("inputs.2.width", "Must be less than or equal to 4"),
    ]
    assert not Prediction.objects.exists()
    assert not Batch.objects.exists()


WRONG = {
    "no_inputs": ({"inputs": ...}, "inputs is required"),
    "no_version": ({"version": ...}, "version is required"),
    "inputs_are_an_object": ({"inputs": {}}, "inputs: Invalid type. Expected: array, given: object"),
    "none": ({"inputs": []}, "inputs: Array must have at least 1 items"),
    "too_many": ({"inputs": [{"text": "x"}] * 1001}, "inputs: Array must have at most 1000 items"),
    "an_input_is_a_text": ({"inputs": [{"text": "x"}, "x"]}, "inputs.1: Invalid type. Expected: object, given: string"),
    "surplus": ({"input": {}}, "Additional property input is not allowed"),
    "bad_webhook": ({"webhook": "ftp://x/"}, "webhook: Does not match format 'uri'"),
    "bad_tags": ({"tags": [""]}, "tags.0: String length must be greater than or equal to 1"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_body_is_named_with_its_place(api, version, change, words):
    body = {"version": version.pk, "inputs": [{"text": "x"}], **change}
    answer = api.post("/v1/batches", {name: value for name, value in body.items() if value is not ...})
    assert (answer.status_code, answer.json()["detail"]) == (422, f"- {words}\n")


def test_an_unknown_version_gets_the_known_answer(api, version):
    answer = api.post("/v1/batches", {"version": "0" * 64, "inputs": [{"text": "x"}]})
    assert (answer.status_code, answer.json()["title"]) == (422, "Invalid version or not permitted")


def test_a_thousand_are_taken_at_once(api, version):
    batch = made(api, version, count=1000)
    assert Prediction.objects.filter(batch=batch["id"]).count() == 1000


def test_a_repetition_under_one_key_makes_one_batch(api, version):
    body, key = {"version": version.pk, "inputs": [{"text": "x"}]}, {"Idempotency-Key": "once"}
    answers = [api.post("/v1/batches", body, headers=key) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert Prediction.objects.count() == 1


def test_no_more_wait_than_the_installation_allows(api, version, settings):
    settings.BATCH_INPUTS_AT_ONCE = 5
    made(api, version, count=3)
    refused = api.post("/v1/batches", {"version": version.pk, "inputs": [{"text": "x"}] * 3})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert "may have 5 inputs together; they have 3" in refused.json()["detail"]
    made(api, version, count=2)


def test_with_low_credit_a_batch_is_as_slow_as_single_calls(api, alice, version):
    fund(alice, 1_000_000_000)
    refused = api.post("/v1/batches", {"version": version.pk, "inputs": [{"text": "x"}] * 7})
    assert refused.status_code == 429
    assert settings.RATE_LIMIT_LOW_CREDIT_PER_MINUTE == 6


def test_counts_go_by_state(api, version):
    batch = made(api, version)
    first, second, _ = rows_of(batch)
    start(first)
    end(second)
    now = api.get(f"/v1/batches/{batch['id']}").json()
    assert (now["status"], now["counts"]["succeeded"], now["counts"]["processing"]) == ("processing", 1, 1)


def test_predictions_come_in_pages_in_the_order_of_the_inputs(api, version):
    batch = made(api, version, count=103)
    first = api.get(batch["urls"]["predictions"]).json()
    second = api.get(first["next"]).json()
    texts = [int(item["input"]["text"]) for page in (first, second) for item in page["results"]]
    assert texts == list(range(103))
    assert (first["results"][0]["batch"], second["next"]) == (batch["id"], None)


def test_batches_are_listed_newest_first_with_their_counts(api, stranger_api, version):
    first, second = made(api, version, count=1), made(api, version, count=2)
    assert [(item["id"], item["counts"]["starting"]) for item in api.get("/v1/batches").json()["results"]] == [
        (second["id"], 2),
        (first["id"], 1),
    ]
    assert stranger_api.get("/v1/batches").json()["results"] == []


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/predictions"), ("POST", "/cancel")])
def test_a_stranger_cannot_tell_a_batch_from_a_missing_one(api, stranger_api, version, method, path):
    theirs = made(api, version)["id"]
    hidden, missing = (stranger_api.request(method, f"/v1/batches/{pk}{path}") for pk in (theirs, "0" * 26))
    assert (hidden.status_code, hidden.json()) == (missing.status_code, missing.json())
    assert hidden.status_code == 404


def test_a_cancel_ends_all_that_has_not_ended_and_a_second_changes_nothing(api, version):
    batch = made(api, version)
    first, second, _ = rows_of(batch)
    end(first, output="kept")
    start(second)
    answers = [api.post(batch["urls"]["cancel"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    over = answers[0].json()
    assert (over["status"], over["counts"]["succeeded"], over["counts"]["canceled"]) == ("completed", 1, 2)
    assert Prediction.objects.get(pk=first.pk).output == "kept"


def test_the_end_is_told_once_with_the_last_prediction(api, version):
    batch = made(api, version, webhook=HOOK)
    rows = rows_of(batch)
    for row in rows[:2]:
        end(row)
    assert not WebhookDelivery.objects.exists()
    end(rows[2], "failed")
    [told] = WebhookDelivery.objects.all()
    assert (told.prediction_id, told.event, told.url) == (batch["id"], "completed", HOOK)
    document = orjson.loads(bytes(told.body))
    assert (document["status"], document["counts"]["succeeded"], document["counts"]["failed"]) == ("completed", 2, 1)
    assert document == api.get(batch["urls"]["get"]).json()


def test_the_event_log_tells_of_the_beginning_and_the_end(api, version):
    batch = made(api, version, count=1)
    end(rows_of(batch)[0])
    told = LoggedEvent.objects.filter(subject=f"batch/{batch['id']}").order_by("id")
    assert list(told.values_list("type", flat=True)) == ["batch.created", "batch.completed"]


def test_of_two_who_end_the_last_two_at_once_one_closes_the_batch(api, version):
    for _ in range(5):
        rows = rows_of(made(api, version, count=2, webhook=HOOK))
        together = threading.Barrier(2)

        def end_it(row, together=together):
            together.wait()
            end_one(row)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(end_it, rows))
    assert Batch.objects.filter(completed_at=None).count() == 0
    assert WebhookDelivery.objects.count() == 5


def test_who_ends_the_last_waits_for_who_is_just_ending_the_one_before(api, version):
    """The worst moment: the other end is written, but not yet committed."""
    batch = made(api, version, count=2, webhook=HOOK)
    first, second = rows_of(batch)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lifecycle.end_many([Outcome(first.pk, None, "succeeded")])
            assert Batch.objects.get().completed_at is None
            other = pool.submit(end_one, second)
            assert not other.done()
        other.result(10)
    assert Batch.objects.get().completed_at
    assert WebhookDelivery.objects.count() == 1


def test_a_crash_while_the_last_one_ends_takes_back_the_end_of_the_batch_too(api, version, monkeypatch):
    batch = made(api, version, count=1, webhook=HOOK)
    [row] = rows_of(batch)

    def die(**_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(webhooks, "enqueue", die)  # the last step
        lifecycle.end_many([Outcome(row.pk, None, "succeeded")])
    assert (Prediction.objects.get().status, Batch.objects.get().completed_at) == ("starting", None)
    lifecycle.end_many([Outcome(row.pk, None, "succeeded")])
    assert WebhookDelivery.objects.count() == 1


def test_a_batch_that_nobody_closed_is_closed_by_the_sweep_once(api, version, monkeypatch):
    batch = made(api, version, count=1, webhook=HOOK)
    with monkeypatch.context() as patch:
        patch.setattr(batch_ends, "close_batches_of", lambda ended: None)
        end(rows_of(batch)[0])
    assert batch_ends.sweep() == 0, "it is too young to be given up"
    Batch.objects.update(created_at="2026-01-01T00:00:00Z")
    assert [batch_ends.sweep(), batch_ends.sweep()] == [1, 0]
    assert WebhookDelivery.objects.count() == 1


def test_the_sweep_leaves_what_is_not_finished(api, version):
    made(api, version)
    Batch.objects.update(created_at="2026-01-01T00:00:00Z")
    assert batch_ends.sweep() == 0
    assert Batch.objects.get().completed_at is None


def test_a_cancel_passes_over_what_somebody_is_just_writing_and_ends_it_afterwards(api, version):
    batch = made(api, version, count=2)
    first, _ = rows_of(batch)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lifecycle.end_many([Outcome(first.pk, None, "succeeded")])
            canceling = pool.submit(api.post, batch["urls"]["cancel"])
        answer = canceling.result(10).json()
    assert (answer["status"], answer["counts"]["succeeded"], answer["counts"]["canceled"]) == ("completed", 1, 1)


def test_the_unfinished_of_a_batch_are_found_by_their_index(api, version):
    made(api, version)
    rows = Prediction.objects.filter(batch="x").exclude(status__in=sorted(TERMINAL))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        assert "prediction_unfinished_of_batch" in rows.explain()
