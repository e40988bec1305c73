"""The stand-in's other half: answers that get lost, repeats by key, and requests that Stripe wouldn't know."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe

from tests.stripe_front import customer
from tests.stripe_front.engine_client import loopback
from tests.stripe_front.world import World

pytestmark = pytest.mark.stripe
PAYMENT = {"amount": 5000, "currency": "usd", "off_session": True, "confirm": True}


def client_of(world: World, retries: int = 0) -> Any:
    return stripe.StripeClient(world.secret_key, base_addresses={"api": world.base_url}, max_network_retries=retries)


@pytest.fixture
def quick_retries(monkeypatch):
    """The SDK repeats without waiting."""
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.01)
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)


@pytest.fixture
def payment(stripe_world: World) -> dict[str, object]:
    owner = stripe_world.engine.post("/v1/customers")["id"]
    return {**PAYMENT, "customer": owner, "payment_method": stripe_world.attach_card(owner, customer.OK)}


def charges(world: World) -> int:
    return len(world.engine.get("/v1/charges", limit=100)["data"])


def test_a_repeat_with_the_same_key_is_the_same_payment(stripe_world, payment):
    client = client_of(stripe_world)
    first, second = (
        client.v1.payment_intents.create(params=payment, options={"idempotency_key": "topup:1:1"}) for _ in range(2)
    )
    assert first.id == second.id and charges(stripe_world) == 1
    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.create(params={**payment, "amount": 1}, options={"idempotency_key": "topup:1:1"})


def test_a_repeat_of_a_session_is_the_same_session(stripe_world, payment):
    client = client_of(stripe_world)
    params = {"mode": "setup", "currency": "usd", "customer": payment["customer"], "success_url": "https://a.test/"}
    options = {"idempotency_key": "cs:1:1"}
    first, second = (client.v1.checkout.sessions.create(params=params, options=options) for _ in range(2))
    assert first.id == second.id
    with pytest.raises(stripe.IdempotencyError):
        client.v1.checkout.sessions.create(params={**params, "success_url": "https://b.test/"}, options=options)


@pytest.mark.parametrize("how", ["drop", 500, 409])
def test_an_answer_lost_after_the_work_is_repeated_by_the_sdk_and_paid_once(stripe_world, payment, how, quick_retries):
    stripe_world.fail("POST", "/v1/payment_intents", how, "after")
    intent = client_of(stripe_world, retries=2).v1.payment_intents.create(params=payment)
    assert intent.status == "succeeded" and charges(stripe_world) == 1
    first, second = [call for call in stripe_world.calls if call.path == "/v1/payment_intents"]
    assert (first.key, first.params) == (second.key, second.params)
    assert (first.status, second.status) == (0 if how == "drop" else how, 200)


@pytest.mark.parametrize(("how", "error"), [("drop", stripe.APIConnectionError), (429, stripe.RateLimitError)])
def test_what_fails_before_the_work_did_nothing(stripe_world, payment, how, error):
    stripe_world.fail("POST", "/v1/payment_intents", how, "before")
    client = client_of(stripe_world)
    with pytest.raises(error):
        client.v1.payment_intents.create(params=payment)
    assert charges(stripe_world) == 0
    assert client.v1.payment_intents.create(params=payment).status == "succeeded"


def test_a_500_may_stay_the_answer_for_its_key(stripe_world, payment):
    stripe_world.fail("POST", "/v1/payment_intents", 500, "after", kept=True)
    client = client_of(stripe_world)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.payment_intents.create(params=payment, options={"idempotency_key": "topup:1:1"})
    assert charges(stripe_world) == 1


def test_something_happens_before_the_answer_arrives(stripe_world, payment):
    seen: list[int] = []
    stripe_world.meanwhile("POST", "/v1/payment_intents", "before", lambda: seen.append(charges(stripe_world)))
    stripe_world.meanwhile("POST", "/v1/payment_intents", "after", lambda: seen.append(charges(stripe_world)))
    client = client_of(stripe_world)
    for _ in range(2):
        assert client.v1.payment_intents.create(params=payment).status == "succeeded"
    assert seen == [0, 2]


def test_fifty_calls_at_once(stripe_world, payment):
    client = client_of(stripe_world)

    def pay(_: int) -> str:
        return client.v1.payment_intents.create(params=payment, options={"idempotency_key": "topup:1:1"}).id

    with ThreadPoolExecutor(50) as pool:
        assert len(set(pool.map(pay, range(50)))) == 1
    assert charges(stripe_world) == 1


@pytest.mark.parametrize(
    ("method", "path", "params", "problem"),
    [
        ("POST", "/v1/customers", {"nickname": "x"}, "POST /v1/customers: nickname is unknown"),
        ("POST", "/v1/customers", {"address[planet]": "x"}, "POST /v1/customers: address[planet] is unknown"),
        ("POST", "/v1/payment_intents", {"amount": "5", "currency": "usd", "confirm": "yes"}, "confirm is no boolean"),
        ("POST", "/v1/payment_intents", {"currency": "usd"}, "POST /v1/payment_intents: amount is missing"),
        ("POST", "/v1/payment_intents", {"amount": "5.5", "currency": "usd"}, "amount is no integer"),
        ("POST", "/v1/refunds", {"reason": "regret"}, "POST /v1/refunds: reason is none of the values allowed"),
        ("GET", "/v1/events", {"since": "1"}, "GET /v1/events: since is unknown"),
        ("GET", "/v1/events", {"created[after]": "1"}, "created[after] is unknown"),
        ("POST", "/v1/nonsense", {}, "POST /v1/nonsense: no such route"),
        (
            "POST",
            "/v1/webhook_endpoints",
            {"url": "x", "enabled_events[]": "*", "api_version": "9"},
            "none of the values",
        ),
        ("POST", "/v1/checkout/sessions", {"mode": "pay"}, "mode is none of the values allowed"),
    ],
)
def test_what_stripe_would_not_know_is_noticed(stripe_world, method, path, params, problem):
    sent = {"params" if method == "GET" else "data": params}
    key = {"Authorization": f"Bearer {stripe_world.secret_key}"}
    with loopback() as client:
        client.request(method, stripe_world.base_url + path, headers=key, **sent)
    [found] = stripe_world.violations
    stripe_world.violations.clear()
    assert found.endswith(problem) or problem in found


def test_a_violation_fails_the_test_that_made_it(stripe_stand_in):
    with pytest.raises(AssertionError, match="nickname is unknown"), stripe_stand_in.checked_world() as world:
        key = {"Authorization": f"Bearer {world.secret_key}"}
        with loopback() as client:
            client.post(f"{world.base_url}/v1/customers", data={"nickname": "x"}, headers=key)


def test_payment_method_types_are_refused_since_endive(stripe_world):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client_of(stripe_world).v1.payment_intents.create(
            params={"amount": 5000, "currency": "usd", "payment_method_types": ["card"]}
        )
    assert refused.value.code == "payment_method_types_no_longer_supported"


def test_another_key_is_refused(stripe_world):
    client = stripe.StripeClient("sk_test_other", base_addresses={"api": stripe_world.base_url})
    with pytest.raises(stripe.AuthenticationError):
        client.v1.customers.list()


def test_worlds_know_nothing_of_each_other(stripe_stand_in, stripe_world):
    other = stripe_stand_in.new_world()
    other.engine.post("/v1/customers")
    assert stripe_world.engine.get("/v1/customers")["data"] == []
    other.close()
