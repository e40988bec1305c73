"""One test's Stripe account: what the fixture `stripe_world` gives, as tests/plugins/stripe_world.py tells it."""

import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.stripe_front import contract, customer, radar
from tests.stripe_front.checkout import Session, find, settle_slow
from tests.stripe_front.engine_client import EngineWorld, Refused, loopback
from tests.stripe_front.events import Delivery, Endpoint, Send, Switches
from tests.stripe_front.faults import Act, Fault, Faults, How, When
from tests.stripe_front.routes import Json, Route, refused

_MAX_ROUNDS = 20
_BETWEEN_ROUNDS = 0.1
_CARD = {"exp_month": 12, "exp_year": 2034, "cvc": "123"}


@dataclass(frozen=True)
class Call:
    """A call of the API; status 0: the connection was dropped."""

    method: str
    path: str
    params: Json
    key: str | None
    status: int


class World:
    """See tests/plugins/stripe_world.py."""

    def __init__(self, front_url: str, engine_url: str, *, now: datetime | None) -> None:
        self.id = secrets.token_hex(8)
        self.base_url = f"{front_url}/worlds/{self.id}"
        self.secret_key = f"sk_test_{secrets.token_hex(12)}"
        self.engine = EngineWorld(engine_url, self.id)
        self.engine.create(now=now.isoformat() if now else None)
        self._ahead = now.timestamp() - time.time() if now else 0.0
        self.violations: list[str] = []
        self.calls: list[Call] = []
        self.faults = Faults()
        self.switches = Switches()
        self.slow_payments = False
        self.sessions: dict[str, Session] = {}
        self.portals: dict[str, Json] = {}
        self.warnings: dict[str, Json] = {}
        self.endpoints: dict[str, Endpoint] = {}
        own = {
            "id": "we_of_the_test",
            "api_version": contract.SDK_VERSION,
            "enabled_events": ["*"],
            "status": "enabled",
        }
        self._own_endpoint = Endpoint(own, f"whsec_{secrets.token_hex(16)}")
        self._replays: dict[str, tuple[str, int, Json]] = {}
        self._lock = threading.RLock()
        self._delivering = threading.RLock()  # another one: who is sent an event may call the API before it answers
        self._closing = threading.Event()
        self._couriers: list[threading.Thread] = []

    def close(self) -> None:
        """End background deliveries and the account."""
        self._closing.set()
        for courier in self._couriers:
            courier.join()
        self.engine.destroy()

    # The account

    def now(self) -> float:
        """The world's time, in seconds since 1970."""
        return time.time() + self._ahead

    def advance(self, by: timedelta | float) -> None:
        """Let time pass: what expires by then expires."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        self.engine.do("advance", seconds=seconds)
        self._ahead += seconds
        with self._lock:
            for session in list(self.sessions):
                find(self, session)

    def events(self, *types: str) -> list[Json]:
        """Stripe's events so far, oldest first; only of these types, if any are named."""
        found = self._events_after(None)
        return [event for event in found if not types or event["type"] in types]

    def emit(self, event_type: str, shown: Json) -> str:
        """Make an event about an object; its id."""
        made: str = self.engine.do("emit", type=event_type, object=shown)["id"]
        return made

    def attach_card(self, owner: str, number: str) -> str:
        """Attach a test card to a customer without a page or a proof; the payment method's id. Raises Refused."""
        method: str = self.engine.post("/v1/payment_methods", type="card", card={"number": number, **_CARD})["id"]
        self.engine.post(f"/v1/payment_methods/{method}/attach", customer=owner)
        return method

    def dispute(self, charge: str) -> str:
        """A bank disputes the charge, or the one of a PaymentIntent; the dispute's id."""
        made: str = self.engine.do("dispute", charge=self._charge(charge))["id"]
        return made

    def close_dispute(self, dispute: str, *, won: bool) -> None:
        """The bank decides."""
        text = "winning_evidence" if won else "losing_evidence"
        self.engine.post(f"/v1/disputes/{dispute}", evidence={"uncategorized_text": text}, submit=True)

    def fail_refund(self, refund: str) -> None:
        """A bank sends a refund back: `refund.failed`."""
        self.engine.do("fail_refund", refund=refund)

    def pay_out(self, cents: int, currency: str = "usd", *, ok: bool = True) -> str:
        """Send what is available to our bank, which takes it or not; the payout's id. Raises Refused for too much."""
        made: str = self.engine.post("/v1/payouts", amount=cents, currency=currency)["id"]
        self.engine.do("end_payout", payout=made, ok=ok)
        return made

    def finish(self, intent: str, *, ok: bool = True) -> None:
        """A bank ends a payment that was processing."""
        self.engine.do("finish", intent=intent, ok=ok)
        with self._lock:
            settle_slow(self, intent, ok=ok)

    def renew_card(self, method: str, *, exp_year: int) -> None:
        """A bank gives the customer a new card for the old one, and the networks tell Stripe."""
        shown = self.engine.post(f"/v1/payment_methods/{method}", card={"exp_month": 12, "exp_year": exp_year})
        self.emit("payment_method.automatically_updated", shown)

    def warn_of_fraud(self, charge: str) -> str:
        """A card network's early fraud warning for the charge, or the one of a PaymentIntent; the warning's id."""
        made: str = radar.warn(self, self._charge(charge))["id"]
        return made

    def _charge(self, one: str) -> str:
        if not one.startswith("pi_"):
            return one
        charge: str = self.engine.get(f"/v1/payment_intents/{one}")["latest_charge"]
        return charge

    # The customer

    def pay(self, url: str, card: str = customer.OK, *, authenticate: bool = True) -> str:
        """Give a card on a hosted page; where that sends the customer. Raises customer.Declined."""
        return customer.pay(url, card, authenticate=authenticate)

    # What goes wrong

    def fail(self, method: str, path: str, how: How, when: When, *, times: int = 1, kept: bool = False) -> None:
        """Let the next calls of a route fail: see Fault."""
        self.faults.asked.append(Fault(method, path, how, when, times, kept))

    def meanwhile(self, method: str, path: str, when: When, act: Act) -> None:
        """Run a function, in another thread, while our side waits for the answer to the next call of a route."""
        self.faults.asked.append(Fault(method, path, act, when))

    def not_modelled(self, where: str, names: list[str]) -> None:
        """Note parameters that would matter and that nothing here heeds."""
        self.violations += [f"{where}: {name} is not modelled by the stand-in" for name in names]

    # Webhooks

    @property
    def webhook_secret(self) -> str:
        """What deliveries to a target are signed with. Set it to rotate."""
        return self._own_endpoint.secret

    @webhook_secret.setter
    def webhook_secret(self, secret: str) -> None:
        self._own_endpoint.secret = secret

    def deliver(self, target: str | Send | None = None) -> list[Delivery]:
        """One round: send every event that waits once. target: a URL, a function, or None for the API's endpoints."""
        with self._delivering:
            if target is not None:
                return self._round(self._own_endpoint, _to_url(target) if isinstance(target, str) else target)
            return [
                delivery
                for endpoint in list(self.endpoints.values())
                for delivery in self._round(endpoint, _to_url(endpoint.shown["url"]))
            ]

    def drain(self, target: str | Send | None = None) -> list[Delivery]:
        """Rounds until none brings a delivery that was accepted: what handlers cause is delivered too."""
        done: list[Delivery] = []
        for _ in range(_MAX_ROUNDS):
            delivered = self.deliver(target)
            done += delivered
            if not any(delivery.ok for delivery in delivered):
                break
        return done

    def waiting(self) -> list[Json]:
        """Events that deliveries to a target have yet to bring, oldest first."""
        self._own_endpoint.take_up(self._events_after(self._own_endpoint.seen))
        return list(self._own_endpoint.waiting)

    def deliver_in_background(self, target: str | Send | None = None) -> None:
        """Rounds without end, in a thread, until the world is closed: for sites that run by themselves."""
        courier = threading.Thread(target=self._deliver_until_closed, args=(target,), daemon=True)
        self._couriers.append(courier)
        courier.start()

    def _deliver_until_closed(self, target: str | Send | None) -> None:
        while not self._closing.wait(_BETWEEN_ROUNDS):
            self.deliver(target)

    def _round(self, endpoint: Endpoint, send: Send) -> list[Delivery]:
        endpoint.take_up(self._events_after(endpoint.seen))
        return endpoint.round(send, self.switches, self.now())

    def _events_after(self, seen: str | None) -> list[Json]:
        found: list[Json] = []
        while True:
            cursor = {"starting_after": found[-1]["id"]} if found else {}
            page = self.engine.get("/v1/events", limit=100, **cursor)
            for event in page["data"]:
                if event["id"] == seen:
                    return found[::-1]
                found.append(event)
            if not page["has_more"]:
                return found[::-1]

    # The front's own routes

    def own(
        self, route: Route, ids: tuple[str, ...], params: Json, key: str | None
    ) -> tuple[int, Json, dict[str, str]]:
        """Answer a route of the front's, the first time or again for the same idempotency key."""
        with self._lock:
            signature = json.dumps([route.path, ids, params], sort_keys=True)
            if key and (kept := self._replays.get(key)):
                if kept[0] != signature:
                    mismatch = "Keys for idempotent requests can only be used with the same parameters."
                    return 400, {"error": {"type": "idempotency_error", "message": mismatch}}, {}
                return kept[1], kept[2], {"Idempotent-Replayed": "true"}
            status, shown = _attempted(lambda: route.answer(self, params, *ids))
            if key and route.method == "POST":
                self._replays[key] = (signature, status, shown)
            return status, shown, {}

    def with_our_pages(self, shown: Json) -> Json:
        """An answer of the engine's whose hosted pages are ours."""
        if shown.get("object") == "invoice" and shown.get("hosted_invoice_url"):
            return {**shown, "hosted_invoice_url": f"{self.base_url}/invoice/{shown['id']}"}
        if shown.get("object") == "list":
            return {**shown, "data": [self.with_our_pages(one) for one in shown["data"]]}
        return shown


def _attempted(answer: Callable[[], Json]) -> tuple[int, Json]:
    try:
        return 200, json.loads(json.dumps(answer()))
    except Refused as no:
        return no.status, no.body
    except (KeyError, ValueError, TypeError) as error:  # a parameter that the contract check has named already
        return 400, refused(f"Invalid request: {error!r}").body


def _to_url(url: str) -> Send:
    def send(body: bytes, headers: dict[str, str]) -> int:
        with loopback() as stripe:
            try:
                return stripe.post(url, content=body, headers=headers).status_code
            except httpx.TransportError:
                return 0

    return send


def to_client(client: Any, path: str) -> Send:
    """Deliver to Django's test client."""

    def send(body: bytes, headers: dict[str, str]) -> int:
        content_type = headers["Content-Type"]
        status: int = client.post(path, data=body, content_type=content_type, headers=headers).status_code
        return status

    return send
