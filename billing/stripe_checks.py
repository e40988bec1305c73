"""Is Stripe set up as it must be? A checklist for operators; what only a person can try is named too.

Source: billing.md 14.7, "What cannot be tested here".
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from billing import reconciliation
from billing.models import StripeEvent
from billing.stripe_gateway import balance, transport
from billing.stripe_gateway.errors import StripeFailure

BY_HAND = (
    "Save a card that wants 3-D Secure (4000 0027 6000 3184), and buy credit with it by the link in the mail.",
    "Buy credit with a bank debit, if the dashboard offers one: it is credited when it has succeeded.",
    "Refund a payment of the card 4000 0000 0000 5126: the refund fails later, and the credit comes back.",
    "Dispute a payment with the card 4000 0000 0000 0259, and decide it both ways.",
    "Look at the receipts and invoices that Stripe mails, and turn off those that this site sends itself.",
    "Look at the rules of Radar, and at what early fraud warnings refund by themselves.",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list."""

    name: str
    is_ok: bool
    detail: str = ""


def webhook_url() -> str:
    """Where Stripe sends events."""
    return f"{settings.PUBLIC_URL}/webhooks/stripe"


def run_checks() -> Iterator[Check]:
    """From the settings to what Stripe says; the rest is left out where there is no key, or no answer."""
    if not transport.is_configured():
        yield Check("STRIPE_SECRET_KEY", is_ok=False, detail="is not set: payments are off")
        return
    yield Check("Mode", is_ok=True, detail="live: real money" if transport.is_live() else "test")
    version, sdk = settings.STRIPE_API_VERSION, transport.sdk_version()
    yield Check("STRIPE_API_VERSION", version == sdk, f"{version}, the SDK's {sdk}")
    yield Check("STRIPE_WEBHOOK_SECRETS", bool(settings.STRIPE_WEBHOOK_SECRETS), "signs what Stripe sends")
    is_safe = settings.PUBLIC_URL.startswith("https://") or not transport.is_live()
    yield Check("PUBLIC_URL", is_safe, f"{settings.PUBLIC_URL}: https where money is real")
    try:
        yield from _at_stripe()
    except StripeFailure as error:
        yield Check("Stripe answers", is_ok=False, detail=f"{type(error).__name__}: {error}")


def _at_stripe() -> Iterator[Check]:
    cents = balance.balance_cents("usd")
    yield Check("Stripe answers", is_ok=True, detail=f"{cents} cents lie there")
    found = [(version, status) for url, version, status in balance.list_webhook_endpoints() if url == webhook_url()]
    is_there = (settings.STRIPE_API_VERSION, "enabled") in found
    detail = f"at {webhook_url()}, of this version and enabled; `manage.py stripe_webhook_endpoint` makes one"
    yield Check("Webhook endpoint", is_there, detail)
    newest = StripeEvent.objects.order_by("-received_at").first()
    yield Check("Events arrive", newest is not None, f"the last {newest.received_at:%Y-%m-%d %H:%M}" if newest else "")
    for one in reconciliation.run(["stripe"])["stripe"]:
        yield Check(f"Reconciliation: {one.subject}", is_ok=False, detail=one.problem)
