"""Stripe for tests: `stripe_world`, an account of the stand-in's for one test. Real HTTP, real SDK, signed webhooks.

A test that uses it carries the marker `stripe`; it fails if any of our requests was not as Stripe's own OpenAPI
document has it. How to write such tests: tests/stripe_front/README.md.

The account, a `tests.stripe_front.world.World`:

- `base_url`, `secret_key`: `StripeClient(secret_key, base_addresses={"api": base_url})`
- `now()`, `advance(timedelta | seconds)`: its clock, which starts at the real time; sessions expire by it
- `calls`: every call so far, as (method, path, params, key, status); `violations`: what the contract check found
- `events(*types)`: Stripe's events so far, oldest first; `emit(type, object)`: make one
- `engine.get(path, **params)`, `engine.post(...)`: look or act past the front: no check, no faults, no `calls`

Customers, banks:

- `pay(url, card=OK, authenticate=True)`: give a card on a hosted page (Checkout, invoice), 3-D Secure included; where
  the customer is sent. Raises `Declined`. Cards and `Declined` are in tests/stripe_front/customer.py
- `attach_card(customer, number)`: a saved card without a page; the payment method's id
- `dispute(charge or payment intent)`, `close_dispute(dispute, won=…)`, `warn_of_fraud(charge or payment intent)`
- `pay_out(cents, ok=True)`: what is available (a week after the charge, by the world's clock) goes to our bank
- `fail_refund(refund)`, `renew_card(payment method, exp_year=…)`
- `slow_payments = True`: payments stay processing, Checkout's too, until `finish(payment intent, ok=…)`

Webhooks, to a URL or to a function `(body, headers) → status`; `to_client(client, path)` makes one of Django's client:

- `webhook_secret`: what those deliveries are signed with; may be set, to rotate it
- `deliver(target)`: one round, each waiting event once; what isn't answered with 2xx waits for the next round
- `drain(target)`: rounds until nothing more is accepted; `waiting()`: what is yet to be delivered
- without a target: to the endpoints made by `POST /v1/webhook_endpoints`, each with its own secret
- `deliver_in_background(target)`: rounds until the test's end, for sites in processes of their own
- `switches`: copies, shuffle, delay, paused, wrong_secret, timestamp_offset, retries (tests/stripe_front/events.py)

Faults:

- `fail(method, path, how, when, times=1, kept=False)`: the next calls of the route (a regular expression) get how =
  "drop" (the connection), 409, 429 or 500, when = "before" or "after" Stripe has done its work; kept: repeats with the
  same idempotency key get the same answer, as Stripe has it after a 500
- `meanwhile(method, path, when, act)`: run `act()` while our side waits for the answer: a webhook that is earlier than
  the answer, an amount that changes between two calls, a process that is killed right then
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.stripe_front import environment

if TYPE_CHECKING:
    from tests.stripe_front.front import StandIn
    from tests.stripe_front.world import World


@pytest.fixture(scope="session")
def stripe_stand_in(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[StandIn]":
    """Engine and front, for the session. `new_world(now=…)` makes an account that starts at a date."""
    from tests.stripe_front.front import running

    if not environment.installed():
        pytest.fail("This test needs the marker `stripe`: the engine isn't everywhere.")
    with running(tmp_path_factory.mktemp("stripe") / "engine.log") as stand_in:
        yield stand_in


@pytest.fixture
def stripe_world(stripe_stand_in: "StandIn") -> "Iterator[World]":
    """A Stripe account for one test, which fails for any request that Stripe's document doesn't have."""
    with stripe_stand_in.checked_world() as world:
        yield world
