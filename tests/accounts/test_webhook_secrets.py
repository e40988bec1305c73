"""A webhook secret is changed without a moment in which receivers that know only one of the two refuse."""

import datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts.webhook_secrets import OVERLAP, signing_secrets
from runner.models import WebhookDelivery
from runner.webhook_delivery import signed_headers


def secret_of(client):
    return client.get("/v1/webhooks/default/secret").json()["key"]


def rotate(client):
    answer = client.post("/v1/webhooks/default/secret/rotate")
    assert answer.status_code == 200
    return answer.json()


def test_a_new_secret_is_what_is_told_from_then_on(api, stranger_api):
    before, strangers = secret_of(api), secret_of(stranger_api)
    rotated = rotate(api)
    assert secret_of(api) == rotated["key"] != before
    assert secret_of(stranger_api) == strangers


def test_both_sign_for_a_day_and_then_only_the_new_one(alice, api):
    before = secret_of(api)
    now = datetime.datetime.now(datetime.UTC)
    after = rotate(api)["key"]
    alice.refresh_from_db()
    assert signing_secrets(alice, now) == [after, before]
    assert signing_secrets(alice, now + OVERLAP + datetime.timedelta(minutes=1)) == [after]


def test_a_receiver_that_knows_either_accepts(alice, api):
    before, after = secret_of(api), rotate(api)["key"]
    alice.refresh_from_db()
    now = datetime.datetime.now(datetime.UTC)
    headers = signed_headers(WebhookDelivery(id="msg_1", body=b"{}"), *signing_secrets(alice, now), now=now)
    for secret in (before, after):
        Webhook(secret).verify(b"{}", headers)


def test_rotating_twice_ends_a_leaked_secret(alice, api):
    leaked = secret_of(api)
    rotate(api)
    rotate(api)
    alice.refresh_from_db()
    now = datetime.datetime.now(datetime.UTC)
    headers = signed_headers(WebhookDelivery(id="msg_1", body=b"{}"), *signing_secrets(alice, now), now=now)
    with pytest.raises(WebhookVerificationError):
        Webhook(leaked).verify(b"{}", headers)
