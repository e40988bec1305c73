"""Charging the saved card, and finding out what became of charges without an answer.

A top-up is committed as `sent` before the call. Repeats of an attempt have its key and its parameters, and Stripe does
nothing twice for a key; after 20 hours it may have forgotten it, so the payment is looked for instead.
Source: billing.md 14.3 C, 14.4.
"""

import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from billing import accounts, auto_reload_state, cards
from billing.models import BillingAccount, StripeCall, TopUp
from billing.payment_problems import NoCard, PaymentPending
from billing.stripe_gateway import payments
from billing.stripe_gateway.errors import Declined, NotConfigured, Refused, Unanswered
from billing.top_up_settling import end_unpaid, settle_decline, settle_payment_intent
from marketplace.lib.ids import new_id

log = structlog.get_logger(__name__)

REPEAT_WITHIN = datetime.timedelta(hours=20)
IN_FLIGHT = datetime.timedelta(minutes=2)  # longer than a call and the SDK's repeats of it may take
_DELAYS = [datetime.timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800)]
_HOURLY = datetime.timedelta(hours=1)
_CLOCKS_DIFFER = datetime.timedelta(hours=1)
_UNDER_WAY = (TopUp.State.SENT, TopUp.State.UNKNOWN)
_NOT_OURS_TO_JUDGE = (401, 403)  # a key that was rolled says nothing about what the old one did


def open_top_up(
    payer: BillingAccount,
    *,
    source: TopUp.Source,
    amount_cents: int,
    now: datetime.datetime,
    attempt: int = 1,
    user_id: int | None = None,
    top_up_id: str | None = None,
) -> TopUp:
    """A top-up that is to be sent, in the caller's transaction with the account locked.

    Raises NoCard; PaymentPending where another one is pending.
    """
    if cards.find_default(payer.pk) is None or not payer.stripe_customer_id:
        raise NoCard
    pending = TopUp.objects.filter(account_id=payer.pk, state__in=TopUp.PENDING)
    if pending.exclude(source=TopUp.Source.CHECKOUT).exists():
        raise PaymentPending
    return TopUp.objects.create(
        id=top_up_id or new_id(),
        account_id=payer.pk,
        source=source,
        amount_cents=amount_cents,
        currency=payer.currency,
        state=TopUp.State.SENT,
        attempt=attempt,
        sent_at=now,
        next_try_at=now + IN_FLIGHT,
        created_by_id=user_id,
    )


def send(top_up: TopUp) -> TopUp:
    """Charge the card for a top-up that is `sent` or `unknown`, or repeat the charge; the top-up as it is then."""
    payer = accounts.billing_account(top_up.account_id)
    card = cards.find_default(top_up.account_id)
    key = f"topup:{top_up.pk}:{top_up.attempt}"
    if (card is None or not payer.stripe_customer_id) and not StripeCall.objects.filter(pk=key).exists():
        end_unpaid(top_up, reason="The card was removed before it was charged.")
        return _fresh(top_up)
    try:
        intent = payments.charge_saved_card(
            key=key,
            customer_id=payer.stripe_customer_id or "",
            card_id=card.pk if card else "",
            top_up_id=top_up.pk,
            cents=top_up.amount_cents + top_up.tax_cents,
            currency=top_up.currency,
            description=f"{settings.SITE_NAME} credit",
        )
        settle_payment_intent(intent.id)
    except Declined as declined:
        _after_decline(top_up, declined)
    except (Unanswered, NotConfigured):
        _unknown(top_up)
    except Refused as refused:
        if refused.status in _NOT_OURS_TO_JUDGE or refused.code == "idempotency_error":
            _unknown(top_up)
        else:
            end_unpaid(top_up, reason="The payment service refused the payment.", decline_code=refused.code[:64])
    return _fresh(top_up)


def _after_decline(top_up: TopUp, declined: Declined) -> None:
    try:
        settle_decline(_fresh(top_up), declined)
    except (Unanswered, Refused):  # the next try of this attempt gets the same answer, and comes here again
        _unknown(top_up)


def _fresh(top_up: TopUp) -> TopUp:
    return TopUp.objects.get(pk=top_up.pk)


def _unknown(top_up: TopUp) -> None:
    delay = _DELAYS[top_up.tries] if top_up.tries < len(_DELAYS) else _HOURLY
    rows = TopUp.objects.filter(pk=top_up.pk, state__in=_UNDER_WAY)
    rows.update(state=TopUp.State.UNKNOWN, tries=F("tries") + 1, next_try_at=timezone.now() + delay)


def resolve(top_up: TopUp, *, now: datetime.datetime) -> None:
    """Find out what became of a top-up that is `sent` or `unknown`."""
    if top_up.payment_intent_id:
        settle_payment_intent(top_up.payment_intent_id)
    elif top_up.sent_at and top_up.sent_at < now - REPEAT_WITHIN:
        _find_by_listing(top_up)
    else:
        send(top_up)


def _find_by_listing(top_up: TopUp) -> None:
    """Never repeat: the key may be forgotten. Listed payments are complete, searched ones lag behind."""
    payer = accounts.billing_account(top_up.account_id)
    customer_id = payer.stripe_customer_id or _customer_of(top_up)
    assert top_up.sent_at
    since = top_up.sent_at - _CLOCKS_DIFFER
    made = payments.list_payments(customer_id, since=since) if customer_id else iter(())
    found = [intent for intent in made if intent.top_up_id == top_up.pk]
    for intent in sorted(found, key=lambda one: one.status != "succeeded"):
        settle_payment_intent(intent.id)
    if found:
        return
    reason = "The payment got lost on its way; nothing was charged."
    if end_unpaid(top_up, reason=reason, decline_code="lost") and top_up.source == TopUp.Source.AUTO_RELOAD:
        with transaction.atomic():  # only a person may start anew
            auto_reload_state.turn_off(accounts.lock(top_up.account_id), f"{reason} Turn auto-reload on again.")
    log.error("top_up_lost", top_up=top_up.pk)


def _customer_of(top_up: TopUp) -> str:
    call = StripeCall.objects.filter(pk=f"topup:{top_up.pk}:{top_up.attempt}").first()
    return str(call.params.get("customer", "")) if call else ""
