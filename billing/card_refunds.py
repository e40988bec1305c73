"""The unused rest of a top-up goes back to its card; also what somebody refunded at Stripe itself.

The money is held here, then asked for at Stripe under the refund's own key, and leaves the wallet when Stripe says so.
Source: billing.md 11.2, 14.3 E.
"""

import datetime

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts import audit
from accounts.models import User
from billing import accounts, card_refund_postings, holds
from billing.cents import nanos_per_minor
from billing.models import BillingAccount, CardRefund, TopUp
from billing.money import in_words
from billing.payment_problems import PaymentsAreOff
from billing.stripe_gateway import payments, transport
from billing.stripe_gateway.errors import Refused, StripeFailure, Unanswered
from billing.stripe_gateway.objects import Refund
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed

log = structlog.get_logger(__name__)

FRAUD_REASON = "Early fraud warning of the card network"
_UNDER_WAY = (CardRefund.State.CREATED, CardRefund.State.SENT)
_GONE = ("failed", "canceled")
_REPEAT_WITHIN = datetime.timedelta(hours=20)
_IN_FLIGHT = datetime.timedelta(minutes=2)
_USED_PERCENT_AT_MOST = 20  # of a payment that a fraud warning refunds by itself
_BATCH = 50


def refundable_cents(top_up: TopUp) -> int:
    """What of a top-up may go back now: unused, in whole cents, not on its way already, not held for running work."""
    if top_up.state != TopUp.State.SUCCEEDED or top_up.bucket is None or top_up.bucket.is_frozen:
        return 0
    per_cent = nanos_per_minor(top_up.currency)
    under_way = top_up.card_refunds.filter(state__in=_UNDER_WAY).aggregate(total=Sum("amount_cents", default=0))[
        "total"
    ]
    unused = top_up.bucket.remaining_nanos // per_cent - under_way
    free = accounts.billing_account(top_up.account_id).available_nanos // per_cent
    rest = top_up.amount_cents - top_up.refunded_cents - under_way
    return int(max(0, min(unused, rest, free)))


def refund_top_up(
    top_up_id: str, *, reason: str, amount_cents: int | None = None, actor: User | None = None
) -> CardRefund:
    """Send a top-up's unused rest back to its card, or a part of it; the refund, which may be under way still.

    Raises PaymentsAreOff, ValidationFailed for more than may go back, Conflict where nothing may.
    """
    if not transport.is_configured():
        raise PaymentsAreOff
    with transaction.atomic():
        payer = accounts.lock(TopUp.objects.values_list("account_id", flat=True).get(pk=top_up_id))
        top_up = TopUp.objects.select_related("bucket").get(pk=top_up_id)
        most = refundable_cents(top_up)
        amount = most if amount_cents is None else amount_cents
        if not most:
            raise Conflict("Nothing of this payment is left to refund.")
        if not 0 < amount <= most:
            shown = in_words(most * nanos_per_minor(top_up.currency))
            raise ValidationFailed([FieldError("/amount", f"Must be above 0 and at most {shown}.")])
        refund = CardRefund.objects.create(
            top_up=top_up, amount_cents=amount, state=CardRefund.State.SENT, reason=reason, created_by=actor
        )
        nanos = amount * nanos_per_minor(top_up.currency)
        holds.reserve(payer, card_refund_postings.hold_of(refund), nanos)
        if actor:
            audit.record(actor, "refund_top_up", f"top_up/{top_up.pk}", reason=reason, amount=in_words(nanos))
    _send(refund)
    refund.refresh_from_db()
    return refund


def settle_refund(stripe_refund_id: str) -> CardRefund | None:
    """Let our books follow a refund's state at Stripe; None for one of no top-up. Any time, any number of times."""
    shown = payments.find_refund(stripe_refund_id)
    with transaction.atomic():
        top_up = TopUp.objects.filter(payment_intent_id=shown.payment_intent_id).first()
        if top_up is None:
            return None
        payer = accounts.lock(top_up.account_id)
        refund = _row(top_up, shown)
        if shown.status in _GONE:
            _end(payer, refund, shown.failure or shown.status)
        elif shown.status == "succeeded" or shown.has_moved:
            card_refund_postings.post_refund(payer, refund)
    refund.refresh_from_db()
    return refund


def resolve_due(*, now: datetime.datetime) -> int:
    """Look after refunds without an answer: the same call again within 20 hours, then by the list; how many."""
    if not transport.is_configured():
        return 0
    waiting = CardRefund.objects.filter(state__in=_UNDER_WAY, created_at__lt=now - _IN_FLIGHT)
    refunds = list(waiting.select_related("top_up").order_by("created_at")[:_BATCH])
    for refund in refunds:
        try:
            if refund.stripe_refund_id:
                settle_refund(refund.stripe_refund_id)
            elif refund.created_at > now - _REPEAT_WITHIN:
                _send(refund)
            else:
                _find_by_listing(refund)
        except StripeFailure as error:
            log.warning("card_refund_unresolved", refund=refund.pk, error=type(error).__name__)
    return len(refunds)


def heed_fraud_warning(warning_id: str) -> CardRefund | None:
    """Refund what the warning is about by itself, if that may still help and little of it was used."""
    warning = payments.find_fraud_warning(warning_id)
    top_up = TopUp.objects.filter(payment_intent_id=warning.payment_intent_id).select_related("bucket").first()
    if top_up is None or top_up.bucket is None or not warning.is_actionable:
        return None
    bucket = top_up.bucket
    used = bucket.granted_nanos - bucket.remaining_nanos
    log.warning("stripe_fraud_warning", account_id=top_up.account_id, top_up=top_up.pk)
    if used * 100 >= bucket.granted_nanos * _USED_PERCENT_AT_MOST or not refundable_cents(top_up):
        return None
    return refund_top_up(top_up.pk, reason=FRAUD_REASON)


def _send(refund: CardRefund) -> None:
    try:
        shown = payments.create_refund(
            key=f"refund:{refund.pk}",
            payment_intent_id=refund.top_up.payment_intent_id or "",
            refund_id=refund.pk,
            cents=refund.amount_cents,
        )
        settle_refund(shown.id)
    except Unanswered:
        log.warning("card_refund_unanswered", refund=refund.pk)  # the sweep repeats it
    except Refused as refused:
        with transaction.atomic():
            _end(accounts.lock(refund.top_up.account_id), refund, str(refused))


def _row(top_up: TopUp, shown: Refund) -> CardRefund:
    """Ours of this refund; made now for one that was made at Stripe itself."""
    known = CardRefund.objects.filter(pk=shown.refund_id, top_up=top_up) if shown.refund_id else None
    refund = (known and known.first()) or CardRefund.objects.filter(stripe_refund_id=shown.id).first()
    if refund is None:
        return CardRefund.objects.create(
            top_up=top_up,
            amount_cents=shown.amount_cents,
            state=CardRefund.State.SENT,
            stripe_refund_id=shown.id,
            reason="Refunded at Stripe",
        )
    if refund.stripe_refund_id is None:
        CardRefund.objects.filter(pk=refund.pk).update(stripe_refund_id=shown.id)
        refund.stripe_refund_id = shown.id
    return refund


def _end(payer: BillingAccount, refund: CardRefund, why: str) -> None:
    """The money did not reach the card: it is credit again, and somebody must look."""
    rows = CardRefund.objects.filter(pk=refund.pk).exclude(state=CardRefund.State.FAILED)
    if not rows.update(state=CardRefund.State.FAILED, error=why, settled_at=timezone.now()):
        return
    holds.release(card_refund_postings.hold_of(refund))
    card_refund_postings.reverse_refund(payer, refund)
    log.error("card_refund_failed", refund=refund.pk, why=why)


def _find_by_listing(refund: CardRefund) -> None:
    made = payments.list_refunds(refund.top_up.payment_intent_id or "")
    if found := next((one for one in made if one.refund_id == refund.pk), None):
        settle_refund(found.id)
        return
    with transaction.atomic():
        _end(accounts.lock(refund.top_up.account_id), refund, "The refund got lost on its way.")
