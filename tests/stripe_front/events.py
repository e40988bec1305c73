"""Webhooks: endpoints, the signatures on what they are sent, and what may go wrong on the way."""

import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Send = Callable[[bytes, dict[str, str]], int]  # a body and its headers → the status it was answered with, 0 for none
MAX_ATTEMPTS = 20
_WRONG_SECRET = "whsec_of_somebody_else"


@dataclass
class Switches:
    """What goes wrong with deliveries from now on."""

    copies: int = 1  # how often each event is sent in a round
    shuffle: bool = False
    delay: float = 0.0  # seconds of the world's clock before an event is sent: `advance` makes it due
    paused: bool = False
    wrong_secret: bool = False
    timestamp_offset: int = 0  # seconds; -600 is an old signature, 600 one from the future
    retries: bool = True  # whether what wasn't answered with 2xx is sent again in the next round


@dataclass(frozen=True)
class Delivery:
    """One attempt."""

    event: Json
    body: bytes
    headers: dict[str, str]
    status: int

    @property
    def ok(self) -> bool:
        """Whether Stripe would call it delivered."""
        return 200 <= self.status < 300


def signed(body: bytes, secret: str, at: int) -> dict[str, str]:
    """The headers of a delivery. Source: https://docs.stripe.com/webhooks#verify-manually."""
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={signature}", "Content-Type": "application/json; charset=utf-8"}


@dataclass
class Endpoint:
    """Whom events are sent to: the object that Stripe's API shows, and what waits to be sent."""

    shown: Json
    secret: str
    waiting: list[Json] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    seen: str | None = None  # the newest event taken up
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def take_up(self, events: list[Json]) -> None:
        """Queue new events, oldest first, that the endpoint asked for."""
        wanted = set(self.shown["enabled_events"])
        if self.shown["status"] == "enabled":
            self.waiting += [event for event in events if "*" in wanted or event["type"] in wanted]
        self.seen = events[-1]["id"] if events else self.seen

    def round(self, send: Send, switches: Switches, now: float) -> list[Delivery]:
        """Send once what is due at `now` (seconds of the world's clock)."""
        if switches.paused:
            return []
        due = [event for event in self.waiting if event["created"] + switches.delay <= now]
        batch = due * switches.copies
        if switches.shuffle:
            mixed = self.chance.sample(batch, len(batch))
            batch = mixed if mixed != batch else batch[::-1]
        done = [self._attempt(event, send, switches) for event in batch]
        delivered = {each.event["id"] for each in done if each.ok}
        self.waiting = [
            event for event in self.waiting if event["id"] not in delivered and self._retried(event, switches)
        ]
        return done

    def _attempt(self, event: Json, send: Send, switches: Switches) -> Delivery:
        self.attempts[event["id"]] = self.attempts.get(event["id"], 0) + 1
        shown = {**event, "api_version": self.shown["api_version"], "pending_webhooks": 1}
        body = json.dumps(shown, indent=2).encode()
        secret = _WRONG_SECRET if switches.wrong_secret else self.secret
        headers = signed(body, secret, int(time.time()) + switches.timestamp_offset)
        return Delivery(event, body, headers, send(body, headers))

    def _retried(self, event: Json, switches: Switches) -> bool:
        attempts = self.attempts.get(event["id"], 0)
        return attempts == 0 or (switches.retries and attempts < MAX_ATTEMPTS)
