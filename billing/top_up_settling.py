"""What became of a payment: the only way in which bought credit appears, and the ways in which a top-up ends without.

The API's answer, webhooks, the success page and the poller all come here and fetch the payment anew, so neither their
order nor their number matters; what was credited is known by the posting's key.  Source: billing.md 9.2, 9.3, 14.3.
"""

import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import (
    accounts,
    auto_reload_state,
    cards,
    credit,
    customers,
    invoice_parties,
    ledger,
    mails,
    modes,
    notices,
    numbers,
    restriction,
)
from billing.cents import nanos_per_minor
from billing.ledger import Entry
from billing.models import BillingAccount, LedgerTxn, TopUp
from billing.money import as_decimal_string, in_words
from billing.notices import MoneyEvent
from billing.stripe_gateway import payments
from billing.stripe_gateway.errors import Declined, Refused
from billing.stripe_gateway.objects import BalanceTransaction, CheckoutSession, PaymentIntent

log = structlog.get_logger(__name__)

_UNDER_WAY = (TopUp.State.SENT, TopUp.State.UNKNOWN)
_AUTHENTICATION = "authentication_required"
_CONFIRM_WITHIN = datetime.timedelta(hours=23)  # Stripe's pages live for 24
LOOK_AFTER = datetime.timedelta(minutes=1)  # a page has expired
_LOOK_AGAIN = datetime.timedelta(hours=1)  # at a payment that is processing


def settle_payment_intent(payment_intent_id: str) -> TopUp | None:
    """Let our books follow a payment's state at Stripe; its top-up, or None for a payment that is none.

    May be called at any time and any number of times, outside of transactions. Raises StripeFailure.
    """
    intent = payments.find_payment(payment_intent_id)
    if not intent.top_up_id:
        return None
    top_up = TopUp.objects.filter(pk=intent.top_up_id).first()
    if top_up is None:
        log.error("stripe_payment_unknown", payment_intent=intent.id)
        return None
    if intent.status == "succeeded":
        _credit(top_up, intent)
    elif intent.status == "processing":
        rows = TopUp.objects.filter(pk=top_up.pk, state__in=[TopUp.State.CREATED, *_UNDER_WAY])
        rows.update(payment_intent_id=intent.id, next_try_at=timezone.now() + _LOOK_AGAIN)
    else:
        _unpaid(top_up, intent)
    top_up.refresh_from_db()
    return top_up


def settle_decline(top_up: TopUp, declined: Declined) -> None:
    """A charge of the saved card was declined; nothing if the top-up has gone on since.  Source: billing.md 14.3 C."""
    if _AUTHENTICATION in (declined.code, declined.decline_code):
        _ask_to_confirm(top_up, declined.payment_intent_id)
        return
    end_unpaid(
        top_up,
        reason=declined.message,
        decline_code=declined.decline_code or declined.code,
        advice_code=declined.advice_code,
    )


def end_unpaid(
    top_up: TopUp,
    *,
    reason: str,
    decline_code: str = "",
    advice_code: str = "",
    state: TopUp.State = TopUp.State.FAILED,
) -> bool:
    """A pending top-up ends without money, once; False if it had ended. reason: a sentence for its owner."""
    now = timezone.now()
    with transaction.atomic():
        payer = accounts.lock(top_up.account_id)
        rows = TopUp.objects.filter(pk=top_up.pk, state__in=TopUp.PENDING)
        ended = rows.update(
            state=state, error=reason, decline_code=decline_code, next_try_at=None, settled_at=now, checkout_url=""
        )
        if not ended:
            return False
        if top_up.source == TopUp.Source.AUTO_RELOAD:
            auto_reload_state.note_failure(
                payer, reason=reason, now=now, decline_code=decline_code, advice_code=advice_code
            )
        amount = as_decimal_string(_nanos(top_up.amount_cents, top_up.currency))
        data = {"amount": amount, "currency": top_up.currency, "source": top_up.source, "decline_code": decline_code}
        notices.tell(payer.pk, MoneyEvent.TOP_UP_FAILED, f"top_up/{top_up.pk}", **data)
    log.info("top_up_failed", top_up=top_up.pk, source=top_up.source, decline_code=decline_code)
    return True


def post_fee(transaction_: BalanceTransaction) -> None:
    """What Stripe kept of a movement, once.  Source: billing.md 6.3."""
    if fee := _nanos(transaction_.fee_cents, transaction_.currency):
        entries = [Entry("psp_fees", fee), Entry("psp_clearing", -fee)]
        ledger.post(f"stripe:txn:{transaction_.id}:fee", "psp_fee", entries, currency=transaction_.currency)


def _nanos(cents: int, currency: str) -> int:
    return cents * nanos_per_minor(currency)


def _credit(top_up: TopUp, intent: PaymentIntent) -> None:
    if mismatch := _mismatch(top_up, intent):
        # The money stays unexplained: the reconciliation puts it into suspense until a person decides.
        log.error("stripe_payment_mismatch", top_up=top_up.pk, payment_intent=intent.id, wrong=mismatch)
        TopUp.objects.filter(pk=top_up.pk).update(error=f"The payment {intent.id} has another {mismatch}.")
        return
    if intent.card and intent.keeps_card and intent.card.customer_id:
        cards.save(top_up.account_id, intent.card)
    with transaction.atomic():
        payer = accounts.lock(top_up.account_id)
        top_up = TopUp.objects.get(pk=top_up.pk)
        credited = _nanos(top_up.amount_cents, top_up.currency)
        tax = _nanos(top_up.tax_cents, top_up.currency)
        entries = [
            Entry("psp_clearing", credited + tax),
            Entry(f"wallet:{payer.pk}", -credited),
            Entry("tax_payable", -tax),
        ]
        key, meta = f"stripe:pi:{intent.id}:paid", {"top_up": top_up.pk}
        if not LedgerTxn.objects.filter(key=key).exists():
            modes.note_payment(payer)
        txn, is_new = ledger.post(key, "top_up", entries, currency=top_up.currency, meta=meta)
        if is_new:
            _fill(payer, top_up, intent, txn, credited)
        if intent.transaction:
            post_fee(intent.transaction)


def _mismatch(top_up: TopUp, intent: PaymentIntent) -> str:
    """What of the payment is not what the top-up asked for; "" if all is."""
    if intent.received_cents != top_up.amount_cents + top_up.tax_cents:
        return "amount"
    if intent.currency != top_up.currency:
        return "currency"
    if not customers.belongs_to(intent.customer_id, top_up.account_id):
        return "customer"
    return ""


def _fill(payer: BillingAccount, top_up: TopUp, intent: PaymentIntent, txn: LedgerTxn, credited: int) -> None:
    """The bucket of a new posting, and all that follows from money that came."""
    now = timezone.now()
    if top_up.state == TopUp.State.SUCCEEDED:
        top_up = _twin(top_up)  # the link was paid, and the first try had succeeded all the same: both are credited
    bucket = credit.fill_wallet(
        txn,
        payer.pk,
        amount_nanos=credited,
        source=intent.id,
        reason="Bought",
        expires_at=credit.paid_expiry(now),
    )
    auto_reload_state.note_success(payer)
    restriction.lift_if_clear(payer)
    accounts.tell_changed(payer.pk)
    amount = {"amount": as_decimal_string(credited), "currency": top_up.currency}
    notices.tell(payer.pk, MoneyEvent.TOP_UP_SUCCEEDED, f"top_up/{top_up.pk}", **amount, source=top_up.source)
    number = numbers.take_number("receipt", now)
    TopUp.objects.filter(pk=top_up.pk).update(
        state=TopUp.State.SUCCEEDED,
        payment_intent_id=intent.id,
        bucket=bucket,
        checkout_url="",
        card=intent.card.words if intent.card else "",
        receipt_number=number,
        seller=invoice_parties.seller(),
        buyer=invoice_parties.buyer(payer),
        settled_at=now,
        next_try_at=None,
        error="",
        decline_code="",
    )
    words = in_words(_nanos(top_up.amount_cents + top_up.tax_cents, top_up.currency))
    mails.send_after_commit(payer.pk, f"Receipt {number}", f"Thank you: {words} was paid, receipt {number}.")


def _twin(top_up: TopUp) -> TopUp:
    return TopUp.objects.create(
        account_id=top_up.account_id,
        source=TopUp.Source.CHECKOUT,
        amount_cents=top_up.amount_cents,
        tax_cents=top_up.tax_cents,
        currency=top_up.currency,
        created_by=top_up.created_by,
    )


def _unpaid(top_up: TopUp, intent: PaymentIntent) -> None:
    """The payment needs another card, a proof, or was canceled. On a hosted page its customer decides what follows."""
    if top_up.source == TopUp.Source.CHECKOUT or top_up.state not in _UNDER_WAY:
        return
    needs_proof = intent.status == "requires_action" or _AUTHENTICATION in (intent.code, intent.decline_code)
    if needs_proof:
        _ask_to_confirm(top_up, intent.id)
    elif intent.status == "canceled" or intent.code:
        end_unpaid(
            top_up,
            reason=intent.message or "The payment was canceled.",
            decline_code=intent.decline_code or intent.code,
            advice_code=intent.advice_code,
        )


def _ask_to_confirm(top_up: TopUp, payment_intent_id: str) -> None:
    """The bank wants its customer: cancel this payment, and mail the address of a page for the same top-up.

    Keys come from the top-up, so that whoever comes here at the same moment makes the same page.
    """
    if top_up.state not in _UNDER_WAY:
        return
    try:
        payments.cancel_payment(payment_intent_id)
    except Refused:  # it has ended; as what?
        intent = payments.find_payment(payment_intent_id)
        if intent.status == "succeeded":
            _credit(top_up, intent)
            return
    expires_at = timezone.now() + _CONFIRM_WITHIN
    payer = accounts.billing_account(top_up.account_id)
    session = open_page(
        top_up, attempt=top_up.attempt + 1, customer_id=payer.stripe_customer_id or "", expires_at=expires_at
    )
    with transaction.atomic():
        accounts.lock(top_up.account_id)
        asked = TopUp.objects.filter(pk=top_up.pk, state__in=_UNDER_WAY).update(
            state=TopUp.State.REQUIRES_ACTION,
            decline_code=_AUTHENTICATION,
            error="The bank wants you to confirm this payment.",
            payment_intent_id=None,
            checkout_session_id=session.id,
            checkout_url=session.url,
            next_try_at=expires_at + LOOK_AFTER,
        )
        if asked:
            amount = in_words(_nanos(top_up.amount_cents + top_up.tax_cents, top_up.currency))
            text = f"Your bank wants you to confirm a payment of {amount}, within 23 hours: {session.url}"
            mails.send_after_commit(top_up.account_id, "Please confirm a payment", text)


def open_page(
    top_up: TopUp,
    *,
    attempt: int,
    customer_id: str,
    expires_at: datetime.datetime,
    return_path: str = "/account/billing",
) -> CheckoutSession:
    """A hosted page on which a top-up is paid; the same one for the same attempt. Raises StripeFailure."""
    success_url, cancel_url = cards.return_urls(return_path)
    return payments.open_payment(
        key=f"cs:{top_up.pk}:{attempt}",
        customer_id=customer_id,
        top_up_id=top_up.pk,
        lines={f"{settings.SITE_NAME} credit": top_up.amount_cents, "Tax": top_up.tax_cents},
        currency=top_up.currency,
        success_url=success_url,
        cancel_url=cancel_url,
        expires_at=expires_at,
    )
