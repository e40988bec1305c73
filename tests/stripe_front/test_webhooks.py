"""The stand-in's deliveries: verified by the SDK, and what the switches do to them."""

import time
from typing import Any

import pytest
import stripe

from tests.plugins.webhook_receiver import Receiver
from tests.stripe_front.contract import SDK_VERSION
from tests.stripe_front.events import Send
from tests.stripe_front.world import World

pytestmark = pytest.mark.stripe


class Inbox:
    """Takes deliveries as our site would: verified by the SDK, answered with `answers` first and 200 then."""

    def __init__(self, secret: str, *answers: int) -> None:
        self.secret, self.answers = secret, list(answers)
        self.taken: list[stripe.Event] = []

    def __call__(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], self.secret)
        except stripe.SignatureVerificationError:
            return 400
        self.taken.append(event)
        return self.answers.pop(0) if self.answers else 200


@pytest.fixture
def inbox(stripe_world: World) -> Inbox:
    return Inbox(stripe_world.webhook_secret)


def client_of(world: World) -> Any:
    return stripe.StripeClient(world.secret_key, base_addresses={"api": world.base_url})


def ids(events) -> list[str]:
    return [event["id"] for event in events]


def happen(world: World, count: int = 1) -> list[str]:
    """Let events happen; their ids."""
    before = len(world.events())
    for _ in range(count):
        world.engine.post("/v1/customers")
    return ids(world.events()[before:])


def test_events_are_delivered_once_and_in_order_with_signatures_that_the_sdk_takes(stripe_world, inbox):
    happened = happen(stripe_world, 3)
    assert [delivery.ok for delivery in stripe_world.deliver(inbox)] == [True] * 3
    assert ids(inbox.taken) == happened
    event = inbox.taken[0]
    assert (event.type, event.livemode, event.api_version) == ("customer.created", False, SDK_VERSION)
    assert stripe_world.deliver(inbox) == []


def test_more_events_than_a_page_holds(stripe_world, inbox):
    happened = happen(stripe_world, 205)
    stripe_world.deliver(inbox)
    assert ids(inbox.taken) == happened


def test_duplicates_and_a_shuffle(stripe_world, inbox):
    stripe_world.switches.copies, stripe_world.switches.shuffle = 3, True
    happened = happen(stripe_world, 4)
    stripe_world.deliver(inbox)
    assert sorted(ids(inbox.taken)) == sorted(happened * 3) and ids(inbox.taken) != happened * 3


@pytest.mark.parametrize("count", [2, 3])
def test_a_shuffle_never_leaves_the_order_as_it_was(stripe_world, inbox, count):
    stripe_world.switches.shuffle = True
    happened = happen(stripe_world, count)
    stripe_world.deliver(inbox)
    assert ids(inbox.taken) != happened and sorted(ids(inbox.taken)) == sorted(happened)


def test_what_is_not_answered_with_2xx_comes_again(stripe_world):
    inbox = Inbox(stripe_world.webhook_secret, 500, 200)
    first, second = happen(stripe_world, 2)
    stripe_world.drain(inbox)
    assert ids(inbox.taken) == [first, second, first] and stripe_world.waiting() == []


def test_without_retries_it_is_lost_but_listed(stripe_world):
    stripe_world.switches.retries = False
    [lost] = happen(stripe_world)
    stripe_world.deliver(lambda body, headers: 503)
    assert stripe_world.waiting() == [] and ids(stripe_world.events()) == [lost]


def test_a_pause_keeps_events_and_a_delay_ends_by_the_clock(stripe_world, inbox):
    stripe_world.switches.paused = True
    [kept] = happen(stripe_world)
    assert stripe_world.deliver(inbox) == [] and ids(stripe_world.waiting()) == [kept]
    stripe_world.switches.paused, stripe_world.switches.delay = False, 60
    assert stripe_world.deliver(inbox) == []
    stripe_world.advance(61)
    stripe_world.deliver(inbox)
    assert ids(inbox.taken) == [kept]


def test_wrong_secrets_and_old_timestamps_are_refused_by_the_sdk(stripe_world, inbox):
    happen(stripe_world)
    stripe_world.switches.wrong_secret = True
    assert [delivery.status for delivery in stripe_world.deliver(inbox)] == [400]
    stripe_world.switches.wrong_secret, stripe_world.switches.timestamp_offset = False, -600
    assert [delivery.status for delivery in stripe_world.deliver(inbox)] == [400]
    stripe_world.switches.timestamp_offset = 0
    assert [delivery.status for delivery in stripe_world.deliver(inbox)] == [200]


def test_the_secret_may_be_rotated(stripe_world, inbox):
    stripe_world.webhook_secret = inbox.secret = "whsec_new"
    happen(stripe_world)
    assert [delivery.ok for delivery in stripe_world.deliver(inbox)] == [True]


def test_endpoints_made_by_the_api_get_what_they_asked_for(stripe_world, receiver: Receiver):
    client = client_of(stripe_world)
    happen(stripe_world)
    params = {"url": f"{receiver.url}/hook", "enabled_events": ["customer.deleted"], "api_version": SDK_VERSION}
    endpoint = client.v1.webhook_endpoints.create(params=params)
    customer = client.v1.customers.create()
    client.v1.customers.delete(customer.id)
    stripe_world.deliver()
    [received] = receiver.received
    event = stripe.Webhook.construct_event(received.body, received.headers["stripe-signature"], endpoint.secret)
    assert event.type == "customer.deleted" and event.data.object.id == customer.id
    assert [one.id for one in client.v1.webhook_endpoints.list().data] == [endpoint.id]
    assert client.v1.webhook_endpoints.update(endpoint.id, params={"disabled": True}).status == "disabled"
    assert client.v1.webhook_endpoints.delete(endpoint.id).deleted


def test_deliveries_in_the_background(stripe_world, receiver: Receiver):
    stripe_world.deliver_in_background(receiver.url)
    happened = happen(stripe_world, 2)
    assert len(receiver.wait_for(2)) == len(happened)


def test_who_is_sent_an_event_may_call_the_api_before_it_answers(stripe_world):
    happen(stripe_world)
    client = client_of(stripe_world)
    found: list[int] = []

    def look(body: bytes, headers: dict[str, str]) -> int:
        found.append(len(client.v1.checkout.sessions.list().data))
        return 200

    answering: Send = look
    stripe_world.deliver(answering)
    assert found == [0]


def test_events_are_listed_since_a_time(stripe_world):
    client = client_of(stripe_world)
    happen(stripe_world)
    stripe_world.advance(3600)
    [late] = happen(stripe_world)
    since = {"created": {"gte": int(time.time()) + 1800}}
    assert [event.id for event in client.v1.events.list(params=since).auto_paging_iter()] == [late]
