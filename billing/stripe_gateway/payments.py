"""Calls about customers, cards, payments, refunds and disputes.  Source: billing.md 14.3.

Amounts are whole cents. `key` is the idempotency key: a repeat with it does nothing twice. Errors: see `transport`.
"""

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from billing.stripe_gateway.objects import (
    Card,
    CardDispute,
    CheckoutSession,
    FraudWarning,
    PaymentIntent,
    Refund,
    SetupIntent,
)
from billing.stripe_gateway.transport import read, read_all, write

_INTENT = {"expand": ["payment_method", "latest_charge.balance_transaction"]}


def create_customer(*, key: str, account_id: int, name: str, email: str) -> str:
    """A customer for an account; its id."""
    params = {"name": name, "metadata": {"account_id": str(account_id)}, **({"email": email} if email else {})}
    return str(write("customers.create", key=key, params=params)["id"])


def set_default_card(customer_id: str, card_id: str, *, key: str) -> None:
    """What Stripe charges invoices to."""
    settings = {"default_payment_method": card_id}
    write("customers.update", customer_id, key=key, params={"invoice_settings": settings})


def customer_exists(customer_id: str) -> bool:
    """Is the customer there, and not deleted?"""
    return not read("customers.retrieve", customer_id).get("deleted")


def find_card(card_id: str) -> Card | None:
    """The payment method, if it is a card."""
    return Card.of(read("payment_methods.retrieve", card_id))


def list_cards(customer_id: str) -> Iterator[Card]:
    """The customer's cards."""
    shown = read_all("payment_methods.list", params={"customer": customer_id, "type": "card"})
    return (card for card in map(Card.of, shown) if card)


def detach_card(card_id: str, *, key: str) -> None:
    """The card can't be charged any more."""
    write("payment_methods.detach", card_id, key=key)


def open_setup(
    *, key: str, customer_id: str, account_id: int, currency: str, success_url: str, cancel_url: str
) -> CheckoutSession:
    """A hosted page on which a card is saved."""
    params = {
        "mode": "setup",
        "currency": currency,
        "customer": customer_id,
        "success_url": success_url,
        "cancel_url": cancel_url,
        "setup_intent_data": {"metadata": {"account_id": str(account_id)}},
    }
    return CheckoutSession.of(write("checkout.sessions.create", key=key, params=params))


def open_payment(
    *,
    key: str,
    customer_id: str,
    top_up_id: str,
    lines: Mapping[str, int],
    currency: str,
    success_url: str,
    cancel_url: str,
    expires_at: datetime.datetime,
) -> CheckoutSession:
    """A hosted page on which credit is paid for, and the card saved. lines: words → cents."""
    params = {
        "mode": "payment",
        "customer": customer_id,
        "client_reference_id": top_up_id,
        "line_items": [_line(name, cents, currency) for name, cents in lines.items() if cents],
        "payment_intent_data": {"metadata": {"topup_id": top_up_id}, "setup_future_usage": "off_session"},
        "adaptive_pricing": {"enabled": False},
        "success_url": success_url,
        "cancel_url": cancel_url,
        "expires_at": int(expires_at.timestamp()),
    }
    return CheckoutSession.of(write("checkout.sessions.create", key=key, params=params))


def _line(name: str, cents: int, currency: str) -> dict[str, Any]:
    price = {"currency": currency, "unit_amount": cents, "product_data": {"name": name}}
    return {"quantity": 1, "price_data": price}


def find_session(session_id: str) -> CheckoutSession:
    """The session as it is now."""
    return CheckoutSession.of(read("checkout.sessions.retrieve", session_id))


def expire_session(session_id: str) -> None:
    """Nobody can pay on it any more. Raises Refused for one that is no longer open."""
    write("checkout.sessions.expire", session_id, key=f"expire:{session_id}")


def find_setup(setup_intent_id: str) -> SetupIntent:
    """The saving of a card, with the card."""
    return SetupIntent.of(read("setup_intents.retrieve", setup_intent_id, params={"expand": ["payment_method"]}))


def charge_saved_card(
    *, key: str, customer_id: str, card_id: str, top_up_id: str, cents: int, currency: str, description: str
) -> PaymentIntent:
    """Charge a card whose holder is not there. Also raises Declined."""
    params = {
        "amount": cents,
        "currency": currency,
        "customer": customer_id,
        "payment_method": card_id,
        "off_session": True,
        "confirm": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "description": description,
        "metadata": {"topup_id": top_up_id},
    }
    return PaymentIntent.of(write("payment_intents.create", key=key, params=params))


def find_payment(payment_intent_id: str) -> PaymentIntent:
    """The payment as it is now, with card and balance transaction."""
    return PaymentIntent.of(read("payment_intents.retrieve", payment_intent_id, params=_INTENT))


def list_payments(customer_id: str, *, since: datetime.datetime) -> Iterator[PaymentIntent]:
    """The customer's payments made since then, newest first."""
    params = {"customer": customer_id, "created": {"gte": int(since.timestamp())}}
    return map(PaymentIntent.of, read_all("payment_intents.list", params=params))


def cancel_payment(payment_intent_id: str) -> None:
    """The payment can't succeed any more. Raises Refused for one that has ended."""
    write("payment_intents.cancel", payment_intent_id, key=f"cancel:{payment_intent_id}")


def create_refund(*, key: str, payment_intent_id: str, refund_id: str, cents: int) -> Refund:
    """Send a part of a payment back to its card."""
    params = {"payment_intent": payment_intent_id, "amount": cents, "metadata": {"refund_id": refund_id}}
    return Refund.of(write("refunds.create", key=key, params=params))


def find_refund(refund_id: str) -> Refund:
    """The refund as it is now."""
    return Refund.of(read("refunds.retrieve", refund_id))


def list_refunds(payment_intent_id: str) -> Iterator[Refund]:
    """All refunds of a payment."""
    return map(Refund.of, read_all("refunds.list", params={"payment_intent": payment_intent_id}))


def find_dispute(dispute_id: str) -> CardDispute:
    """The dispute as it is now."""
    return CardDispute.of(read("disputes.retrieve", dispute_id))


def find_fraud_warning(warning_id: str) -> FraudWarning:
    """The warning as it is now."""
    return FraudWarning.of(read("radar.early_fraud_warnings.retrieve", warning_id))
