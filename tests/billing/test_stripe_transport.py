"""How calls to Stripe are kept, judged and logged, and which webhooks are believed. No call goes out here."""

import hashlib
import hmac
from typing import Any

import orjson
import pytest
import stripe

from billing.stripe_gateway import transport
from billing.stripe_gateway.errors import BadSignature, Declined, NotConfigured, Refused, Unanswered, redacted

NOW = 1_800_000_000.0
SECRET = "whsec_one"
EVENT: dict[str, Any] = {"id": "evt_1", "object": "event", "type": "payout.paid", "livemode": False}


@pytest.fixture(autouse=True)
def configured(settings, monkeypatch):
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    monkeypatch.setattr("time.time", lambda: NOW)


def signed(body: bytes, secret: str = SECRET, at: float = NOW) -> str:
    signature = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={int(at)},v1={signature}"


def verified(event: Any = EVENT, *, secrets=(SECRET,), **how: Any) -> dict[str, Any]:
    body = orjson.dumps(event)
    return transport.verified_event(body, signed(body, **how), secrets, now=NOW)


def test_the_version_is_the_one_the_sdk_is_made_for(settings):
    assert transport.sdk_version() == settings.STRIPE_API_VERSION


def test_without_a_key_nothing_goes_out(settings, db):
    settings.STRIPE_SECRET_KEY = ""
    assert not transport.is_configured()
    with pytest.raises(NotConfigured):
        transport.read("balance.retrieve")
    with pytest.raises(NotConfigured):
        transport.write("refunds.create", key="refund:1")


def test_a_signed_event_is_believed_with_any_of_the_secrets():
    assert verified(secrets=("whsec_old", SECRET))["id"] == "evt_1"


@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_may_differ_by_minutes(minutes):
    assert verified(at=NOW + minutes * 60)


@pytest.mark.parametrize(
    "how",
    [
        {"secret": "whsec_other"},
        {"secrets": ()},
        {"secrets": ("",)},
        {"at": NOW - 301},
        {"at": NOW + 301},
        {"event": {**EVENT, "livemode": True}},
        {"event": {**EVENT, "object": "v2.core.event"}},
        {"event": ["event"]},
    ],
    ids=["wrong secret", "no secrets", "empty secret", "old", "future", "live", "thin", "no object"],
)
def test_other_events_are_not_believed(how):
    with pytest.raises(BadSignature):
        verified(**how)


@pytest.mark.parametrize("header", ["", "t=,v1=", "v1=00", f"t={int(NOW)}", f"t={int(NOW)},v1=00"])
def test_malformed_signatures_are_not_believed(header):
    with pytest.raises(BadSignature):
        transport.verified_event(orjson.dumps(EVENT), header, [SECRET], now=NOW)


def test_a_changed_body_is_not_believed():
    header = signed(orjson.dumps(EVENT))
    with pytest.raises(BadSignature):
        transport.verified_event(orjson.dumps({**EVENT, "id": "evt_2"}), header, [SECRET], now=NOW)


@pytest.mark.parametrize("body", [b"\xff", b"no json"])
def test_a_signed_body_that_is_no_event(body):
    with pytest.raises(BadSignature):
        transport.verified_event(body, signed(body), [SECRET], now=NOW)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (stripe.APIConnectionError("reset"), Unanswered),
        (stripe.APIError("oops", http_status=500), Unanswered),
        (stripe.RateLimitError("slow down", http_status=429), Unanswered),
        (stripe.IdempotencyError("in flight", http_status=409), Unanswered),
        (stripe.IdempotencyError("other parameters", http_status=400), Refused),
        (stripe.InvalidRequestError("no such customer", "customer", http_status=404), Refused),
        (stripe.AuthenticationError("bad key", http_status=401), Refused),
    ],
)
def test_failures_are_judged_by_whether_the_outcome_is_known(error, kind):
    assert type(transport._judged(error)) is kind


def test_a_decline_keeps_its_codes():
    told = {
        "code": "card_declined",
        "decline_code": "expired_card",
        "advice_code": "do_not_try_again",
        "message": "Your card has expired.",
        "payment_intent": {"id": "pi_1"},
    }
    error = stripe.CardError("x", None, "card_declined", http_status=402, json_body={"error": told})
    found = transport._judged(error)
    assert isinstance(found, Declined)
    assert (found.code, found.decline_code, found.advice_code) == ("card_declined", "expired_card", "do_not_try_again")
    assert (found.payment_intent_id, found.message) == ("pi_1", "Your card has expired.")


@pytest.mark.parametrize(
    "secret", ["sk_test_abc", "rk_live_abc", "whsec_abc", "pi_1_secret_xyz", "nina@example.test", "pk_live_a1"]
)
def test_secrets_and_addresses_are_redacted(secret):
    assert redacted(f"Invalid: '{secret}'.").startswith("Invalid: '[redacted]'")
