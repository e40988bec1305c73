"""Calls about our balance at Stripe, payouts to the bank, events and webhook endpoints.

Source: billing.md 14.5, 16.2.
"""

import datetime
from collections.abc import Iterator, Sequence

from django.conf import settings

from billing.stripe_gateway.objects import BalanceTransaction, Event, Payout
from billing.stripe_gateway.transport import read, read_all, write


def balance_cents(currency: str) -> int:
    """What lies at Stripe, pending and available together."""
    shown = read("balance.retrieve")
    parts = [*shown["pending"], *shown["available"]]
    return sum(int(one["amount"]) for one in parts if one["currency"] == currency)


def list_transactions(*, since: datetime.datetime) -> Iterator[BalanceTransaction]:
    """Movements of the balance since then, newest first, with what they come from."""
    params = {"created": {"gte": int(since.timestamp())}, "expand": ["data.source"]}
    return map(BalanceTransaction.of, read_all("balance_transactions.list", params=params))


def find_payout(payout_id: str) -> Payout:
    """The payout as it is now."""
    return Payout.of(read("payouts.retrieve", payout_id))


def list_events(*, since: datetime.datetime) -> Iterator[Event]:
    """Events since then, newest first. Stripe keeps them for 30 days."""
    return map(Event.of, read_all("events.list", params={"created": {"gte": int(since.timestamp())}}))


def create_webhook_endpoint(url: str, event_types: Sequence[str], *, key: str) -> tuple[str, str]:
    """Ask for webhooks of these types, in the SDK's version; (its id, its secret, which is told only now)."""
    params = {"url": url, "enabled_events": list(event_types), "api_version": settings.STRIPE_API_VERSION}
    shown = write("webhook_endpoints.create", key=key, params=params)
    return str(shown["id"]), str(shown["secret"])


def list_webhook_endpoints() -> Iterator[tuple[str, str, str]]:
    """(address, API version, status) of each endpoint."""
    for shown in read_all("webhook_endpoints.list", params={}):
        yield shown["url"], shown.get("api_version") or "", shown["status"]
