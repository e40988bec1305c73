"""Deliveries from the outbox to a receiver on this machine: order, retries, signatures, crashes."""

import datetime
import math
import threading

import orjson
import pytest

from runner import delivery_turns, webhook_delivery, webhooks
from runner.models import WebhookDelivery
from runner.webhook_delivery import RETRY_AFTER_SECONDS, deliver_of, due_predictions, signed_headers
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction, start


@pytest.fixture(autouse=True)
def receivers_on_this_machine(settings):
    settings.EGRESS_ALLOW_PRIVATE = True


@pytest.fixture
def prediction(alice, receiver):
    version = VersionFactory.create(model__account=alice)
    events = ["start", "output", "logs", "completed"]
    return make_prediction(version, webhook=f"{receiver.url}/hook", webhook_events=events)


def make_due():
    WebhookDelivery.objects.filter(next_attempt_at__isnull=False).update(
        next_attempt_at=datetime.datetime.now(datetime.UTC)
    )


def statuses(receiver):
    return [orjson.loads(delivery.body)["status"] for delivery in receiver.received]


def test_the_vector_of_the_contract_is_reproduced():
    delivery = WebhookDelivery(id="msg_2f9c1b7e", body=b'{"id":"demo","status":"succeeded"}')
    now = datetime.datetime.fromtimestamp(1767323045, datetime.UTC)
    headers = signed_headers(delivery, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", now=now)
    assert headers["webhook-signature"] == "v1,xXb04p3aeFQ2XIvutugfLmWOVudujN2aY6R8Dxs/zKA="
    assert headers["webhook-timestamp"] == "1767323045"


def test_a_message_is_delivered_once_and_settled(prediction, receiver):
    end(prediction, output="HI")
    assert deliver_of(prediction.pk) is None
    assert deliver_of(prediction.pk) is None
    assert statuses(receiver) == ["succeeded"]
    assert WebhookDelivery.objects.get().delivered_at is not None


def test_progress_that_the_end_overtook_is_not_told(prediction, receiver):
    start(prediction)
    prediction.refresh_from_db()
    webhooks.enqueue_many([(prediction, "start")])
    webhooks.enqueue_many([(prediction, "output")])
    end(prediction)
    deliver_of(prediction.pk)
    assert statuses(receiver) == ["processing", "succeeded"]


def test_of_progress_that_waits_only_the_newest_is_told(prediction, receiver):
    for logs in ("a", "ab", "abc"):
        prediction.logs = logs
        webhooks.enqueue_many([(prediction, "logs")])
    deliver_of(prediction.pk)
    assert [orjson.loads(delivery.body)["logs"] for delivery in receiver.received] == ["abc"]


def test_progress_keeps_its_distance(prediction, receiver):
    webhooks.enqueue_many([(prediction, "output")])
    deliver_of(prediction.pk)
    webhooks.enqueue_many([(prediction, "output")])
    assert 0 < (deliver_of(prediction.pk) or 0) <= 0.5
    assert len(receiver.received) == 1


@pytest.mark.parametrize("answer", [500, 404, 302])
def test_progress_is_tried_once(prediction, receiver, answer):
    receiver.answers = [answer]
    webhooks.enqueue_many([(prediction, "output")])
    assert deliver_of(prediction.pk) is None
    assert WebhookDelivery.objects.get().last_status == answer
    assert due_predictions() == []


def test_the_end_is_retried_with_growing_pauses_and_then_given_up(prediction, receiver):
    receiver.answers = [500] * 20
    end(prediction)
    pauses = []
    while (pause := deliver_of(prediction.pk)) is not None:
        pauses.append(round(pause))
        make_due()
    assert tuple(pauses) == RETRY_AFTER_SECONDS
    assert len(receiver.received) == len(RETRY_AFTER_SECONDS) + 1
    assert len({delivery.headers["webhook-id"] for delivery in receiver.received}) == 1
    assert len({delivery.body for delivery in receiver.received}) == 1


def test_a_retry_that_succeeds_is_the_last(prediction, receiver):
    receiver.answers = [503]
    end(prediction)
    deliver_of(prediction.pk)
    make_due()
    assert deliver_of(prediction.pk) is None
    assert statuses(receiver) == ["succeeded", "succeeded"]


def test_a_worker_that_died_while_sending_leads_to_the_same_message_again(prediction, receiver):
    end(prediction)
    delivery = WebhookDelivery.objects.get()
    assert webhook_delivery._lease(delivery, datetime.datetime.now(datetime.UTC))
    assert (deliver_of(prediction.pk) or 0) > 10, "while the lease lasts nobody else sends it"
    make_due()
    assert due_predictions() == [prediction.pk]
    deliver_of(prediction.pk)
    assert [received.headers["webhook-id"] for received in receiver.received] == [delivery.pk]


def test_progress_is_not_sent_again_when_its_worker_died(prediction, receiver):
    webhooks.enqueue_many([(prediction, "output")])
    webhook_delivery._lease(WebhookDelivery.objects.get(), datetime.datetime.now(datetime.UTC))
    make_due()
    assert deliver_of(prediction.pk) is None
    assert receiver.received == []


def test_the_end_waits_for_a_start_that_is_under_way(prediction, receiver):
    webhooks.enqueue_many([(prediction, "start")])
    webhook_delivery._lease(WebhookDelivery.objects.get(), datetime.datetime.now(datetime.UTC))
    end(prediction)
    assert (deliver_of(prediction.pk) or 0) > 10
    assert receiver.received == []


def test_two_workers_send_a_message_once(prediction, receiver):
    end(prediction)
    together = threading.Barrier(2)

    def work() -> None:
        from django.db import connection

        together.wait()
        deliver_of(prediction.pk)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(receiver.received) == 1


def test_a_target_that_the_operator_forbids_is_not_called_and_not_retried(prediction, receiver, settings):
    settings.EGRESS_ALLOW_PRIVATE = False
    end(prediction)
    assert deliver_of(prediction.pk) is None
    assert receiver.received == []
    assert "not a public address" in WebhookDelivery.objects.get().last_error


def test_a_broker_that_is_down_fails_no_commit(prediction, monkeypatch):
    from celery import current_app
    from kombu.exceptions import OperationalError

    def down(*_: object, **__: object) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(current_app, "send_task", down)
    assert end(prediction).status == "succeeded"
    assert due_predictions() == [prediction.pk]


def test_an_account_whose_receiver_hangs_leaves_threads_to_others(prediction, receiver, monkeypatch):
    monkeypatch.setattr(delivery_turns, "AT_ONCE", 1)
    end(prediction)
    with delivery_turns.turn(prediction.account_id):
        assert deliver_of(prediction.pk) == math.inf
        with delivery_turns.turn(prediction.account_id + 1) as others_may:
            assert others_may
    assert receiver.received == []
    assert due_predictions() == [prediction.pk], "the sweep comes back to it"
    deliver_of(prediction.pk)
    assert len(receiver.received) == 1


def test_the_sweep_takes_some_of_each_account(prediction, alice, stranger, receiver):
    for account, subject in ((alice, "a1"), (alice, "a2"), (stranger, "s1"), (alice, "a3")):
        webhooks.enqueue(
            account_id=account.pk, subject_id=subject, event="completed", url=receiver.url, document={"id": subject}
        )
    assert sorted(due_predictions(of_each_account=2)) == ["a1", "a2", "s1"]
