"""Buying credit over the API, with the stand-in for Stripe behind it: once for each key, whoever sends it again."""

import datetime

import pytest

from accounts.models import IdempotencyRecord
from billing.models import PaymentMethod, TopUp
from tests.billing.stripe_site import credit_of
from tests.runner.event_horizon import await_other_databases

pytestmark = pytest.mark.stripe
PATH = "/v1/billing/top-ups"


def test_credit_is_bought_on_the_page_that_the_answer_names(site, api, alice):
    made = api.post(PATH, {"amount": "25.00"})
    assert (made.status_code, made.json()["status"]) == (201, "sent")
    site.pay(made.json()["checkout_url"])
    paid = api.get(f"{PATH}/{made.json()['id']}").json()
    assert (paid["status"], paid["card"], paid["checkout_url"]) == ("succeeded", "visa 4242", None)
    assert credit_of(alice) == 2500
    await_other_databases()
    [event] = api.get("/v1/events?type=billing.topup.succeeded").json()["events"]
    assert event["object"].endswith(f"{PATH}/{paid['id']}")


def test_the_same_key_charges_the_card_once(site, api, buyer):
    answers = [api.post(PATH, {"amount": "20", "saved_card": True}, headers={"Idempotency-Key": "k"}) for _ in "ab"]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert (site.charges(), credit_of(buyer)) == (1, 2000)
    other = api.post(PATH, {"amount": "21", "saved_card": True}, headers={"Idempotency-Key": "k"})
    assert (other.status_code, site.charges()) == (409, 1)


def test_a_request_that_died_before_it_bought_goes_on_when_it_is_sent_again(site, api, buyer, monkeypatch):
    body, headers = {"amount": "20", "saved_card": True}, {"Idempotency-Key": "k"}
    with monkeypatch.context() as patch:
        patch.setattr("billing.top_ups.buy_with_saved_card", lambda *_, **__: 1 / 0)
        assert api.post(PATH, body, headers=headers, raise_app_exceptions=False).status_code == 500
    assert "still in progress" in api.post(PATH, body, headers=headers).json()["detail"]
    record = IdempotencyRecord.objects.get()
    IdempotencyRecord.objects.update(created_at=record.created_at - datetime.timedelta(minutes=3))
    made = api.post(PATH, body, headers=headers).json()
    assert (made["status"], f"top_up/{made['id']}") == ("succeeded", record.subject)
    assert site.charges() == 1


def test_cards_are_saved_listed_chosen_and_removed(site, api, alice):
    site.pay(api.post("/v1/billing/setup", {}).json()["url"])
    [card] = api.get("/v1/billing/payment-methods").json()["payment_methods"]
    assert (card["last4"], card["is_default"]) == ("4242", True)
    path = f"/v1/billing/payment-methods/{card['id']}"
    assert api.post(f"{path}/default", {}).json()["id"] == card["id"]
    assert api.request("DELETE", path).status_code == 204
    assert PaymentMethod.objects.get().detached_at


def test_auto_reload_turned_on_buys_what_is_missing(site, api, buyer):
    api.post(PATH, {"amount": "5.00", "saved_card": True})
    body = {"enabled": True, "threshold": "10.00", "target": "30.00", "monthly_cap": "100"}
    answer = api.request("PUT", "/v1/billing/auto-reload", json=body)
    assert (answer.status_code, answer.json()["enabled"], answer.json()["monthly_cap"]) == (200, True, "100.00")
    assert credit_of(buyer) == 3000


def test_a_strangers_purchase_is_not_found(site, api, stranger_api):
    made = api.post(PATH, {"amount": "25.00"}).json()
    assert stranger_api.get(f"{PATH}/{made['id']}").status_code == 404
    assert stranger_api.get(PATH).json()["results"] == []


@pytest.mark.parametrize("amount", ["4.99", "2000.01", "5.001", 25, "-5", None])
def test_an_amount_that_cant_be_bought_is_named(site, api, amount):
    answer = api.post(PATH, {"amount": amount})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/amount")
    assert not TopUp.objects.exists()
