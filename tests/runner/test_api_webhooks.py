"""What became of webhooks: shown to who asked for them, and sent again on demand, the same bytes under the same id."""

import datetime

import orjson
import pytest
from django.utils import timezone

from runner import tasks, webhook_log, webhooks
from runner.models import WebhookDelivery
from runner.webhook_delivery import deliver_of, pause_after
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction


@pytest.fixture(autouse=True)
def receivers_on_this_machine(settings):
    settings.EGRESS_ALLOW_PRIVATE = True


@pytest.fixture
def version(alice):
    return VersionFactory.create(model__account=alice)


@pytest.fixture
def told(version, receiver):
    """A prediction that ended, and its delivery."""

    def tell(*answers, **outcome):
        receiver.answers = list(answers)
        prediction = make_prediction(version, webhook=f"{receiver.url}/hook")
        end(prediction, **outcome)
        deliver_of(prediction.pk)
        return WebhookDelivery.objects.get(prediction_id=prediction.pk)

    return tell


def path(delivery, more=""):
    return f"/v1/webhooks/deliveries/{delivery.pk}{more}"


def test_tries_go_on_for_a_day_with_growing_pauses():
    pauses = [pause for tries in range(1, 30) if (pause := pause_after(tries))]
    assert pauses[:6] == [datetime.timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 16, 29)]
    assert pauses == sorted(pauses)
    assert len(pauses) + 1 >= 10
    assert sum(pauses, datetime.timedelta()) >= datetime.timedelta(hours=24)
    assert pause_after(len(pauses) + 1) is None


def test_a_delivery_shows_each_try(api, told):
    delivery = told(503)
    WebhookDelivery.objects.update(next_attempt_at=timezone.now())
    deliver_of(delivery.prediction_id)
    shown = api.get(path(delivery)).json()
    assert (shown["state"], shown["attempt_count"], shown["last_status"]) == ("delivered", 2, 200)
    assert [(a["number"], a["status"], a["error"]) for a in shown["attempts"]] == [
        (1, 503, "answered 503"),
        (2, 200, None),
    ]
    assert orjson.loads(shown["body"])["status"] == "succeeded"


def test_a_try_without_an_answer_says_why(api, version):
    prediction = make_prediction(version, webhook="http://127.0.0.1:9/nobody")
    end(prediction)
    deliver_of(prediction.pk)
    [attempt] = api.get(path(WebhookDelivery.objects.get())).json()["attempts"]
    assert attempt["status"] is None
    assert attempt["error"]


def test_the_list_is_filtered_by_prediction_and_state(api, told):
    failing, fine = told(503), told()
    found = api.get("/v1/webhooks/deliveries").json()["results"]
    assert [row["id"] for row in found] == [fine.pk, failing.pk]
    assert "attempts" not in found[0]
    for query, expected in (
        ({"prediction": fine.prediction_id}, [fine.pk]),
        ({"state": "pending"}, [failing.pk]),
        ({"state": "delivered"}, [fine.pk]),
        ({"state": "failed"}, []),
    ):
        page = api.get("/v1/webhooks/deliveries", params=query).json()
        assert [row["id"] for row in page["results"]] == expected, query
    assert api.get("/v1/webhooks/deliveries", params={"state": "lost"}).status_code == 400


def test_others_deliveries_are_not_there(stranger_api, told):
    delivery = told()
    assert stranger_api.get("/v1/webhooks/deliveries").json()["results"] == []
    assert stranger_api.get(path(delivery)).status_code == 404
    assert stranger_api.post(path(delivery, "/replay")).status_code == 404


def test_a_replay_sends_the_same_bytes_under_the_same_id(api, told, receiver):
    delivery = told()
    answer = api.post(path(delivery, "/replay"))
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    deliver_of(delivery.prediction_id)
    first, second = receiver.received
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert api.get(path(delivery)).json()["attempt_count"] == 2


def test_a_replay_of_a_terminal_message_is_retried_as_at_first(api, told, receiver):
    delivery = told()
    receiver.answers = [500]
    api.post(path(delivery, "/replay"))
    assert 0 < (deliver_of(delivery.prediction_id) or 0) <= 1


def test_a_failed_replay_of_progress_is_not_retried(api, version, receiver):
    prediction = make_prediction(version, webhook=f"{receiver.url}/hook")
    [delivery] = webhooks.enqueue_many([(prediction, "output")])
    deliver_of(prediction.pk)
    WebhookDelivery.objects.update(delivered_at=timezone.now() - datetime.timedelta(seconds=1))
    receiver.answers = [500]
    api.post(path(delivery, "/replay"))
    deliver_of(prediction.pk)
    shown = api.get(path(delivery)).json()
    assert (len(receiver.received), shown["state"], shown["next_attempt_at"]) == (2, "delivered", None)


def test_a_replay_of_one_that_waits_for_its_next_try_is_tried_now(api, told, receiver):
    delivery = told(500)
    WebhookDelivery.objects.update(next_attempt_at=timezone.now() + datetime.timedelta(hours=3))
    api.post(path(delivery, "/replay"))
    deliver_of(delivery.prediction_id)
    assert len(receiver.received) == 2


def test_what_was_never_sent_cannot_be_replayed(api, version, receiver):
    prediction = make_prediction(version, webhook=f"{receiver.url}/hook")
    [old] = webhooks.enqueue_many([(prediction, "output")])
    end(prediction)
    deliver_of(prediction.pk)
    assert api.get(path(old)).json()["state"] == "superseded"
    assert api.post(path(old, "/replay")).status_code == 409


def give_up(delivery):
    WebhookDelivery.objects.filter(pk=delivery.pk).update(next_attempt_at=None)


def test_what_a_receiver_missed_is_sent_again_by_range(api, told, receiver):
    missed, fine = told(500), told()
    give_up(missed)
    span = {"created_after": "2020-01-01T00:00:00Z", "created_before": "2100-01-01T00:00:00Z"}
    assert api.post("/v1/webhooks/replay", {**span, "only_failed": True}).json() == {"queued": 1, "has_more": False}
    deliver_of(missed.prediction_id)
    assert api.get(path(missed)).json()["state"] == "delivered"
    assert api.post("/v1/webhooks/replay", {**span, "event": "start"}).json()["queued"] == 0
    assert api.post("/v1/webhooks/replay", span).json()["queued"] == 2
    deliver_of(fine.prediction_id)
    assert len(receiver.received) == 4


def test_a_range_is_bounded(alice, api, told, monkeypatch):
    monkeypatch.setattr(webhook_log, "REPLAYED_AT_ONCE", 1)
    told()
    told()
    span = {"created_after": "2020-01-01", "created_before": "2100-01-01"}
    assert api.post("/v1/webhooks/replay", span).json() == {"queued": 1, "has_more": True}


def test_a_range_needs_its_bounds(api):
    answer = api.post("/v1/webhooks/replay", {"created_after": 7, "event": "created", "only_failed": "yes"})
    assert answer.status_code == 400
    for member in ("created_after", "created_before", "event", "only_failed"):
        assert member in answer.text


@pytest.mark.parametrize("wrong", [{"only_failed": {}}, {"only_failed": 0}, {"event": ""}, {"event": None}])
def test_what_counts_as_false_is_no_value_of_a_range(api, wrong):
    span = {"created_after": "2026-01-02T00:00:00Z", "created_before": "2026-01-02T06:00:00Z"}
    answer = api.post("/v1/webhooks/replay", {**span, **wrong})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{next(iter(wrong))}")


def test_a_body_that_is_too_large_is_sent_without_its_data(told, receiver, settings):
    settings.WEBHOOK_MAX_BODY_BYTES = 2000
    told(output="x" * 5000, logs="y" * 5000)
    body = orjson.loads(receiver.received[0].body)
    assert (body["status"], body["truncated"]) == ("succeeded", True)
    assert (body["input"], body["output"], body["logs"]) == ({}, None, "")
    assert body["urls"]["get"].endswith(body["id"])
    assert len(receiver.received[0].body) < 2000


def test_a_message_about_something_else_is_sent_and_retried_alike(alice, receiver):
    webhooks.enqueue(
        account_id=alice.pk, subject_id="b" * 26, event="completed", url=receiver.url, document={"status": "succeeded"}
    )
    receiver.answers = [500]
    assert 0 < (deliver_of("b" * 26) or 0) <= 1
    assert receiver.received[0].body == b'{"status":"succeeded"}'


def test_settled_messages_are_forgotten_in_time(told, settings):
    settled, pending = told(), told(500)
    WebhookDelivery.objects.update(created_at=timezone.now() - datetime.timedelta(days=settings.WEBHOOKS_KEPT_DAYS + 1))
    tasks.remove_old_webhooks()
    assert list(WebhookDelivery.objects.all()) == [pending]
    assert settled.pk != pending.pk
