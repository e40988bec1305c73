"""What a refund to a card moves, with the account locked: out of the wallet, and back in if it failed.

Source: billing.md 6.3, 11.2.
"""

from django.db.models import F
from django.utils import timezone

from billing import accounts, credit, holds, ledger, mails, notices, restriction
from billing.cents import nanos_per_minor
from billing.credit import Taken
from billing.ledger import Entry
from billing.models import BillingAccount, CardRefund, CreditBucket, LedgerTxn, TopUp
from billing.money import as_decimal_string, in_words
from billing.notices import MoneyEvent


def hold_of(refund: CardRefund) -> str:
    """The subject of the hold while it is under way."""
    return f"card_refund/{refund.pk}"


def post_refund(payer: BillingAccount, refund: CardRefund) -> None:
    """The money left Stripe: take it from the wallet, once. What of it was used makes the wallet an overrun."""
    top_up = TopUp.objects.select_related("bucket").get(pk=refund.top_up_id)
    nanos = refund.amount_cents * nanos_per_minor(top_up.currency)
    holds.release(hold_of(refund))
    entries = [Entry(f"wallet:{payer.pk}", nanos), Entry("psp_clearing", -nanos)]
    meta = {"top_up": top_up.pk, "reason": refund.reason}
    txn, is_new = ledger.post(_key(refund), "card_refund", entries, currency=top_up.currency, meta=meta)
    if not is_new:
        return
    credit.consume(txn, credit.plan_return(payer.pk, nanos, first=top_up.bucket))
    CardRefund.objects.filter(pk=refund.pk).update(state=CardRefund.State.SUCCEEDED, settled_at=timezone.now())
    TopUp.objects.filter(pk=top_up.pk).update(refunded_cents=F("refunded_cents") + refund.amount_cents)
    restriction.restrict_if_owing(payer)
    accounts.tell_changed(payer.pk)
    amount = {"amount": as_decimal_string(nanos), "currency": top_up.currency}
    notices.tell(payer.pk, MoneyEvent.REFUND_ISSUED, f"top_up/{top_up.pk}", **amount, reason=refund.reason)
    text = f"{in_words(nanos)} are on their way back to your card. {refund.reason}".strip()
    mails.send_after_commit(payer.pk, "A payment was refunded", text)


def reverse_refund(payer: BillingAccount, refund: CardRefund) -> None:
    """The money came back to Stripe: into the buckets that it was taken from, if it had been taken."""
    posted = LedgerTxn.objects.filter(key=_key(refund)).first() if refund.stripe_refund_id else None
    if posted is None:
        return
    txn, is_new = ledger.reverse(posted, kind="card_refund_failed", key=f"{posted.key}:failed")
    if not is_new:
        return
    taken = [Taken(one.bucket, one.amount_nanos) for one in posted.consumptions.select_related("bucket")]
    _give_back(payer, txn, taken)
    TopUp.objects.filter(pk=refund.top_up_id).update(refunded_cents=F("refunded_cents") - refund.amount_cents)
    restriction.lift_if_clear(payer)
    accounts.tell_changed(payer.pk)


def _give_back(payer: BillingAccount, txn: LedgerTxn, taken: list[Taken]) -> None:
    """A bucket that has expired meanwhile is replaced by a new one of bought credit."""
    credit.give_back(txn, [one for one in taken if one.bucket.expired_at is None])
    if lapsed := sum(one.amount_nanos for one in taken if one.bucket.expired_at is not None):
        credit.add_bucket(
            payer.pk,
            kind=CreditBucket.Kind.PAID,
            amount_nanos=lapsed,
            source=f"refund-failed:{txn.pk}",
            reason="A refund that failed",
            expires_at=credit.paid_expiry(timezone.now()),
        )


def _key(refund: CardRefund) -> str:
    return f"stripe:re:{refund.stripe_refund_id}"
