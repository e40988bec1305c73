"""Saved cards: given on Stripe's hosted page, listed, made the default, removed.  Source: billing.md 14.3 A, G."""

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from billing import accounts, auto_reload_state, customers
from billing.models import PaymentMethod
from billing.payment_problems import PaymentsAreOff, PaymentsUnavailable
from billing.stripe_gateway import payments, transport
from billing.stripe_gateway.errors import Refused, StripeFailure
from billing.stripe_gateway.objects import Card
from marketplace.lib.ids import new_id
from marketplace.lib.problems import NotFound

log = structlog.get_logger(__name__)


def create_setup(account_id: int, *, return_path: str = "/account/billing") -> str:
    """The address of a hosted page on which a card is saved.

    return_path: where the customer comes back to, on success with `?checkout=<session id>`: hand that to
    `billing.checkout.settle_session`. Raises PaymentsAreOff, PaymentsUnavailable.
    """
    customer_id = customers.ensure_customer(account_id)
    success_url, cancel_url = return_urls(return_path)
    try:
        session = payments.open_setup(
            key=f"setup:{new_id()}",  # each click is a page of its own, and none costs anything
            customer_id=customer_id,
            account_id=account_id,
            currency=accounts.billing_account(account_id).currency,
            success_url=success_url,
            cancel_url=cancel_url,
        )
    except StripeFailure as error:
        raise PaymentsUnavailable from error
    return session.url


def return_urls(return_path: str) -> tuple[str, str]:
    """(Where a hosted page sends people on success, where on cancel)."""
    mark = "&" if "?" in return_path else "?"
    base = f"{settings.PUBLIC_URL}{return_path}"
    return f"{base}{mark}checkout={{CHECKOUT_SESSION_ID}}", base


def settle_setup(session_id: str) -> PaymentMethod | None:
    """Save the card that a setup session brought, if it did. May be called any number of times."""
    session = payments.find_session(session_id)
    return settle_setup_intent(session.setup_intent_id) if session.setup_intent_id else None


def settle_setup_intent(setup_intent_id: str) -> PaymentMethod | None:
    """As `settle_setup`, by the SetupIntent. Those that aren't ours, or whose customer isn't the account's, are not."""
    intent = payments.find_setup(setup_intent_id)
    if intent.status != "succeeded" or intent.card is None or not intent.account.isdecimal():
        return None
    account_id = int(intent.account)
    if not customers.belongs_to(intent.customer_id, account_id):
        log.error("stripe_setup_mismatch", setup_intent=setup_intent_id, account_id=account_id)
        return None
    method = save(account_id, intent.card)
    if method.is_default:
        payments.set_default_card(intent.customer_id, method.pk, key=f"default:{setup_intent_id}")
    return method


def save(account_id: int, card: Card) -> PaymentMethod:
    """The card's row, as it is now; the account's default if it has none.

    A card that was given again is the one that is there.
    """
    with transaction.atomic():
        accounts.lock(account_id)
        same = list_cards(account_id).filter(**{**_shown(card), "fingerprint__gt": ""}).exclude(pk=card.id)
        if (known := same.first()) and not list_cards(account_id).filter(pk=card.id).exists():
            return known
        has_default = list_cards(account_id).filter(is_default=True).exists()
        method, is_new = PaymentMethod.objects.get_or_create(
            pk=card.id, defaults={"account_id": account_id, "is_default": not has_default, **_shown(card)}
        )
        if not is_new:
            PaymentMethod.objects.filter(pk=card.id).update(**_shown(card))
            method.refresh_from_db()
    return method


def _shown(card: Card) -> dict[str, str | int]:
    return {
        "brand": card.brand,
        "last4": card.last4,
        "exp_month": card.exp_month,
        "exp_year": card.exp_year,
        "fingerprint": card.fingerprint,
    }


def list_cards(account_id: int) -> QuerySet[PaymentMethod]:
    """Those that can be charged, the default first, then the newest."""
    rows = PaymentMethod.objects.filter(account_id=account_id, detached_at=None)
    return rows.order_by("-is_default", "-created_at", "pk")


def find_default(account_id: int) -> PaymentMethod | None:
    """The card that is charged when its holder is not there."""
    return list_cards(account_id).filter(is_default=True).first()


def get_card(account_id: int, card_id: str) -> PaymentMethod:
    """One of the account's cards. Raises NotFound."""
    if method := list_cards(account_id).filter(pk=card_id).first():
        return method
    raise NotFound


def set_default(account_id: int, card_id: str) -> PaymentMethod:
    """Charge this card from now on. Raises NotFound, PaymentsAreOff, PaymentsUnavailable."""
    get_card(account_id, card_id)
    customer_id = customers.ensure_customer(account_id)
    try:
        payments.set_default_card(customer_id, card_id, key=f"default:{new_id()}")
    except StripeFailure as error:
        raise PaymentsUnavailable from error
    with transaction.atomic():
        accounts.lock(account_id)
        method = get_card(account_id, card_id)
        list_cards(account_id).update(is_default=False)
        PaymentMethod.objects.filter(pk=card_id).update(is_default=True)
        method.is_default = True
    return method


def detach(account_id: int, card_id: str) -> None:
    """Remove a card, here and at Stripe; without a default, auto-reload is off.

    Raises NotFound, PaymentsAreOff, PaymentsUnavailable.
    """
    get_card(account_id, card_id)
    if not transport.is_configured():
        raise PaymentsAreOff
    try:
        payments.detach_card(card_id, key=f"detach:{card_id}")
    except Refused as refused:
        log.info("stripe_card_gone", code=refused.code)  # it was detached there before
    except StripeFailure as error:
        raise PaymentsUnavailable from error
    forget(card_id)


def settle_card(card_id: str) -> None:
    """Make the row of a card what Stripe now says: a new expiry, or that it was detached."""
    method = PaymentMethod.objects.filter(pk=card_id, detached_at=None).first()
    if method is None:
        return
    try:
        card = payments.find_card(card_id)
    except Refused as refused:
        if refused.code != "resource_missing":
            raise
        card = None
    if card and card.customer_id:
        save(method.account_id, card)
    else:
        forget(card_id)


def forget(card_id: str) -> None:
    """The card was detached."""
    with transaction.atomic():
        method = PaymentMethod.objects.filter(pk=card_id).first()
        if method is None:
            return
        payer = accounts.lock(method.account_id)
        method.refresh_from_db()
        if method.detached_at:
            return
        PaymentMethod.objects.filter(pk=card_id).update(detached_at=timezone.now(), is_default=False)
        if method.is_default:
            auto_reload_state.turn_off(payer, f"The card {method} was removed.")


def sync(account_id: int) -> None:
    """Re-read the account's cards from Stripe: after a visit to its portal, or where webhooks were missed."""
    customer_id = customers.ensure_customer(account_id)
    there = {card.id: card for card in payments.list_cards(customer_id)}
    for card in there.values():
        save(account_id, card)
    for card_id in list_cards(account_id).values_list("pk", flat=True):
        if card_id not in there:
            forget(card_id)
