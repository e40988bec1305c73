"""Checklist 101 to 106: webhooks, their order, signatures and retries.  Source: replicate-api.md 5, 8."""

import datetime
import json
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from replicate.webhook import Webhooks, WebhookSigningSecret

from runner.models import WebhookDelivery
from runner.webhook_delivery import pause_after, signed_headers
from tests.plugins.live_site import LiveSite

pytestmark = pytest.mark.contract
NODE = Path(__file__).parents[1] / "node"
VALIDATE = """
import { validateWebhook } from "replicate";
const { message } = process.env;
console.log(await validateWebhook(JSON.parse(message)));
"""
ENDED = ("succeeded", "failed", "canceled", "aborted")
VECTOR = {
    "secret": "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    "id": "msg_2f9c1b7e",
    "timestamp": "1767323045",
    "body": '{"id":"demo","status":"succeeded"}',
    "signature": "v1,xXb04p3aeFQ2XIvutugfLmWOVudujN2aY6R8Dxs/zKA=",
}


def create(site: LiveSite, version, value, url, *events):
    body = {"version": version, "input": value, "webhook": url}
    if events:
        body["webhook_events_filter"] = list(events)
    return site.request("POST", "/v1/predictions", json=body).raise_for_status().json()


def received_until_the_end(receiver, seconds=60.0):
    """All deliveries of one prediction, once its terminal one has come and nothing came for a while after it."""
    count = 0
    while not any(status_of(one) in ENDED for one in receiver.received):
        count = len(receiver.wait_for(count + 1, seconds))
    return receiver.wait_for(len(receiver.received) + 1, 1.5)


def status_of(received):
    return json.loads(received.body)["status"]


def secret_of(site: LiveSite, token=None):
    return site.request("GET", "/v1/webhooks/default/secret", token=token).raise_for_status().json()["key"]


def message_of(received, secret):
    headers = received.headers
    return {
        "id": headers["webhook-id"],
        "timestamp": headers["webhook-timestamp"],
        "signature": headers["webhook-signature"],
        "body": received.body.decode(),
        "secret": secret,
    }


def is_valid_in_node(message):
    command = ["node", "--input-type=module", "--eval", VALIDATE]
    done = subprocess.run(
        command, cwd=NODE, env={**os.environ, "message": json.dumps(message)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == "true"


def validate_in_python(message):
    headers = {f"webhook-{name}": message[name] for name in ("id", "timestamp", "signature")}
    Webhooks.validate(headers=headers, body=message["body"], secret=WebhookSigningSecret(key=message["secret"]))


def test_item_101_a_filter_of_start_and_completed_gives_two_deliveries_in_order(live_site, slow, receiver):
    document = create(live_site, slow, {"seconds": 1}, receiver.url, "start", "completed")
    start, completed = (json.loads(one.body) for one in received_until_the_end(receiver))
    shown = live_site.request("GET", document["urls"]["get"]).json()
    del shown["billing"]  # an extension of what is read
    assert (start["status"], completed) == ("processing", shown)
    assert start.keys() == shown.keys()
    assert (start["started_at"], start["completed_at"]) == (shown["started_at"], None)


def test_item_102_without_a_filter_only_output_and_completed_come(live_site, words, receiver):
    create(live_site, words, {"count": 3, "delay": 1.0}, receiver.url)
    bodies = [json.loads(one.body) for one in received_until_the_end(receiver)]
    assert bodies[-1]["status"] == "succeeded"
    assert len(bodies) > 1
    outputs = [body["output"] for body in bodies]
    assert all(outputs), "no `start`, whose output is empty"
    assert all(len(later) >= len(earlier) for earlier, later in pairwise(outputs))


def test_item_103_progress_comes_at_least_half_a_second_apart_and_the_end_last(live_site, words, receiver):
    create(live_site, words, {"count": 60, "delay": 0.05}, receiver.url, "output", "logs", "completed")
    deliveries = received_until_the_end(receiver)
    assert [status_of(one) in ENDED for one in deliveries] == [False] * (len(deliveries) - 1) + [True]
    assert len(deliveries) > 3
    # 500 ms between sendings; what the network adds differs by a little.
    assert all(later.at - earlier.at > 0.45 for earlier, later in pairwise(deliveries[:-1]))


def test_item_104_the_vector_reproduces():
    delivery = WebhookDelivery(id=VECTOR["id"], body=VECTOR["body"].encode())
    now = datetime.datetime.fromtimestamp(int(VECTOR["timestamp"]), datetime.UTC)
    headers = signed_headers(delivery, VECTOR["secret"], now=now)
    assert headers["webhook-signature"] == VECTOR["signature"]
    validate_in_python(VECTOR)


def test_item_104_a_signature_verifies_in_python(live_site, echo, receiver):
    create(live_site, echo, {"text": "ü"}, receiver.url, "completed")
    message = message_of(received_until_the_end(receiver)[-1], secret_of(live_site))
    validate_in_python(message)
    with pytest.raises(ValueError, match="signature"):
        validate_in_python({**message, "body": message["body"] + " "})


@pytest.mark.node
def test_item_104_a_signature_verifies_in_node(live_site, echo, receiver):
    create(live_site, echo, {"text": "ü"}, receiver.url, "completed")
    message = message_of(received_until_the_end(receiver)[-1], secret_of(live_site))
    assert is_valid_in_node(message)
    assert not is_valid_in_node({**message, "body": message["body"] + " "})
    assert is_valid_in_node(VECTOR)


def test_item_105_a_terminal_webhook_is_retried_under_the_same_id(live_site, echo, receiver):
    receiver.answers = [500] * 3
    create(live_site, echo, {"text": "x"}, receiver.url, "completed")
    tries = receiver.wait_for(4, 40)
    assert len({one.headers["webhook-id"] for one in tries}) == 1
    assert len({one.body for one in tries}) == 1
    for pause, (earlier, later) in zip((1, 2, 4), pairwise(tries), strict=True):
        assert pause - 0.1 < later.at - earlier.at < pause + 6, "the sweep, should a wake-up be lost, takes 5 s"
    secret = secret_of(live_site)
    for one in tries:
        validate_in_python(message_of(one, secret))


def test_item_105_the_first_series_ends_after_about_a_minute():
    pauses = [pause_after(tries) for tries in range(1, 7)]
    assert sum((pause.total_seconds() for pause in pauses if pause), 0.0) == 60


def test_item_105_an_intermediate_webhook_is_not_retried(live_site, words, receiver):
    receiver.answers = [500]
    create(live_site, words, {"count": 1}, receiver.url, "start", "completed")
    deliveries = received_until_the_end(receiver)
    assert [status_of(one) for one in deliveries] == ["processing", "succeeded"]


def test_item_105_a_redirect_is_not_followed(live_site, echo, receiver):
    receiver.answers = [302]
    create(live_site, echo, {"text": "x"}, f"{receiver.url}/hook?job=7", "completed")
    first, second = receiver.wait_for(2)
    assert (first.path, second.path) == ("/hook?job=7", "/hook?job=7")
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_item_106_a_secret_is_stable_well_formed_and_each_accounts_own(live_site, ludo):
    mine, again, others = secret_of(live_site), secret_of(live_site), secret_of(live_site, ludo)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]+=*", mine)
    assert mine == again
    assert mine != others
