"""Buying credit: on a hosted page, or with the saved card; and following up what is pending.

Credit appears only by `settle_payment_intent`.  Source: billing.md 9.2, 14.3 B, C.
"""

import contextlib
import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import accounts, checkout, customers, off_session
from billing.cents import minor_as_decimal_string
from billing.models import BillingAccount, StripeCall, TopUp
from billing.payment_problems import PaymentFailed, PaymentsAreOff, PaymentsUnavailable
from billing.stripe_gateway import payments, transport
from billing.stripe_gateway.errors import Refused, StripeFailure
from billing.top_up_settling import LOOK_AFTER, end_unpaid, open_page, settle_payment_intent
from marketplace.lib.ids import new_id
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed

__all__ = ["buy_with_saved_card", "create_checkout", "resolve_due", "settle_payment_intent"]

log = structlog.get_logger(__name__)

_PAGE_LIVES = datetime.timedelta(hours=1)
_BATCH = 50


def create_checkout(
    account_id: int,
    amount_cents: int,
    *,
    user_id: int | None = None,
    return_path: str = "/account/billing",
    top_up_id: str | None = None,
) -> TopUp:
    """A purchase on a hosted page, whose address is the top-up's `checkout_url`; the account's older pages close.

    return_path: as of `cards.create_setup`. top_up_id: its id, a new one without.
    Raises ValidationFailed, Conflict, PaymentsAreOff, PaymentsUnavailable.
    """
    _ensure_may_buy(account_id, amount_cents)
    customer_id = customers.ensure_customer(account_id)
    _close_pages(account_id)
    expires_at = timezone.now() + _PAGE_LIVES
    top_up = TopUp.objects.create(
        id=top_up_id or new_id(),
        account_id=account_id,
        source=TopUp.Source.CHECKOUT,
        amount_cents=amount_cents,
        currency=accounts.billing_account(account_id).currency,
        created_by_id=user_id,
        next_try_at=expires_at + LOOK_AFTER,
    )
    try:
        session = open_page(
            top_up,
            attempt=top_up.attempt,
            customer_id=customer_id,
            expires_at=expires_at,
            return_path=return_path,
        )
    except StripeFailure as error:
        end_unpaid(top_up, reason="The payment page could not be opened.")
        raise PaymentsUnavailable from error
    TopUp.objects.filter(pk=top_up.pk, state=TopUp.State.CREATED).update(
        state=TopUp.State.SENT, checkout_session_id=session.id, checkout_url=session.url, sent_at=timezone.now()
    )
    top_up.refresh_from_db()
    return top_up


def buy_with_saved_card(
    account_id: int, amount_cents: int, *, user_id: int | None = None, top_up_id: str | None = None
) -> TopUp:
    """Charge the default card now. The top-up may be under way still: `unknown`, or `requires_action` with an address.

    top_up_id: its id, a new one without.
    Raises ValidationFailed, PaymentsAreOff, NoCard, PaymentPending, PaymentFailed (with the card's words).
    """
    _ensure_may_buy(account_id, amount_cents)
    with transaction.atomic():
        payer = accounts.lock(account_id)
        top_up = off_session.open_top_up(
            payer,
            source=TopUp.Source.SAVED_CARD,
            amount_cents=amount_cents,
            now=timezone.now(),
            user_id=user_id,
            top_up_id=top_up_id,
        )
    top_up = off_session.send(top_up)
    if top_up.state == TopUp.State.FAILED:
        raise PaymentFailed(top_up.error)
    return top_up


def resolve_due(*, now: datetime.datetime) -> int:
    """Look after pending top-ups whose time has come: calls without an answer, pages that expired; how many.

    Needs nothing, and leaves each settled or with a later time. Source: billing.md 14.4.
    """
    claimed = _claim(now) if transport.is_configured() else []
    for top_up in claimed:
        try:
            if top_up.source == TopUp.Source.CHECKOUT or top_up.state == TopUp.State.REQUIRES_ACTION:
                _look_at_page(top_up)
            else:
                off_session.resolve(top_up, now=now)
        except StripeFailure as error:  # the claim ends, and it is looked at again
            log.warning("top_up_unresolved", top_up=top_up.pk, error=type(error).__name__)
    return len(claimed)


def _claim(now: datetime.datetime) -> list[TopUp]:
    with transaction.atomic():
        due = TopUp.objects.select_for_update(skip_locked=True).filter(state__in=TopUp.PENDING, next_try_at__lte=now)
        claimed = list(due.order_by("next_try_at")[:_BATCH])
        TopUp.objects.filter(pk__in=[one.pk for one in claimed]).update(next_try_at=now + off_session.IN_FLIGHT)
    return claimed


def _ensure_may_buy(account_id: int, amount_cents: int) -> None:
    if not transport.is_configured():
        raise PaymentsAreOff
    payer = accounts.billing_account(account_id)
    least, most = settings.BILLING_TOP_UP_MIN_CENTS, settings.BILLING_TOP_UP_MAX_CENTS
    if not least <= amount_cents <= most:
        bounds = [minor_as_decimal_string(cents, payer.currency) for cents in (least, most)]
        raise ValidationFailed([FieldError("/amount", f"Must be from {bounds[0]} to {bounds[1]}.")])
    if payer.status == BillingAccount.Status.CLOSED:
        raise Conflict("This account is closed.")


def _close_pages(account_id: int) -> None:
    """One open purchase page per account. One that was paid at this moment stays paid."""
    pages = TopUp.objects.filter(account_id=account_id, source=TopUp.Source.CHECKOUT, state=TopUp.State.SENT)
    for top_up in pages:
        with contextlib.suppress(StripeFailure):
            payments.expire_session(top_up.checkout_session_id or "")
            end_unpaid(top_up, reason="Another payment page was opened.", state=TopUp.State.EXPIRED)


def _look_at_page(top_up: TopUp) -> None:
    session_id = top_up.checkout_session_id or _session_of(top_up)
    if not session_id:
        end_unpaid(top_up, reason="The payment page could not be opened.")
        return
    with contextlib.suppress(Refused):
        checkout.settle_session(session_id)


def _session_of(top_up: TopUp) -> str:
    """The page whose answer came, but whose id was not written down any more."""
    call = StripeCall.objects.filter(pk=f"cs:{top_up.pk}:{top_up.attempt}").first()
    return call.object_id if call else ""
