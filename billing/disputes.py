"""A cardholder disputes a payment: what Stripe withdrew, what was decided, and what that does to the account.

The postings follow what the dispute has moved at Stripe, as it is now.  Source: billing.md 6.3, 11.3.
"""

import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from billing import accounts, auto_reload_state, credit, holds, ledger, mails, restriction
from billing.cents import nanos_per_minor
from billing.ledger import Entry
from billing.models import BillingAccount, CreditBucket, Dispute, LedgerTxn, TopUp
from billing.money import in_words
from billing.restriction import INQUIRY
from billing.stripe_gateway import payments
from billing.stripe_gateway.objects import BalanceTransaction, CardDispute

log = structlog.get_logger(__name__)

_CLOSED = ("won", "lost", "warning_closed", "prevented")


def settle_dispute(dispute_id: str) -> Dispute | None:
    """Let our books follow a dispute; None for one of no top-up. At any time, any number of times."""
    shown = payments.find_dispute(dispute_id)
    with transaction.atomic():
        top_up = TopUp.objects.filter(payment_intent_id=shown.payment_intent_id).first()
        if top_up is None:
            log.error("stripe_dispute_unknown", dispute=shown.id)
            return None
        payer = accounts.lock(top_up.account_id)
        dispute, is_new = _row(top_up, shown)
        if is_new and not shown.status.startswith(INQUIRY):
            _open(payer, dispute, top_up)
        _post_withdrawn(payer, shown)
        if shown.status == "won":
            _post_won(payer, shown)
        elif shown.status == "lost":
            _post_lost(payer, dispute, shown)
        if shown.status in _CLOSED and dispute.closed_at is None:
            _close(payer, dispute, timezone.now())
    return dispute


def _row(top_up: TopUp, shown: CardDispute) -> tuple[Dispute, bool]:
    """Ours, and whether it counts from now on: an inquiry becomes a dispute when the bank takes the money."""
    told = {"amount_cents": shown.amount_cents, "status": shown.status, "reason": shown.reason[:64]}
    dispute, is_new = Dispute.objects.get_or_create(
        pk=shown.id,
        defaults={"account_id": top_up.account_id, "top_up": top_up, "opened_at": shown.created, **told},
    )
    was_inquiry = dispute.status.startswith(INQUIRY)
    if not is_new:
        Dispute.objects.filter(pk=shown.id).update(**told)
        dispute.status = shown.status
    return dispute, is_new or was_inquiry


def _hold_of(dispute: Dispute) -> str:
    return f"dispute/{dispute.pk}"


def _open(payer: BillingAccount, dispute: Dispute, top_up: TopUp) -> None:
    """Restricted, nothing more is bought by itself, and the payment's credit that is left waits for the decision."""
    restriction.restrict(payer)
    auto_reload_state.turn_off(payer, "A payment of this account is disputed.")
    bucket = CreditBucket.objects.filter(top_up=top_up).first()
    if bucket and not bucket.is_frozen:
        CreditBucket.objects.filter(pk=bucket.pk).update(is_frozen=True)
        holds.reserve(payer, _hold_of(dispute), bucket.remaining_nanos)
    amount = in_words(dispute.amount_cents * nanos_per_minor(top_up.currency))
    text = f"A payment of {amount} is disputed at its bank. Until that is decided its credit can't be used."
    mails.send_after_commit(payer.pk, "A payment is disputed", text)
    log.warning("stripe_dispute_opened", account_id=payer.pk, dispute=dispute.pk)


def _post_withdrawn(payer: BillingAccount, shown: CardDispute) -> None:
    if not (moved := [one for one in shown.transactions if one.amount_cents < 0]):
        return
    taken, fee = -_nanos(moved, "amount_cents"), _nanos(moved, "fee_cents")
    entries = [Entry(f"dispute:{payer.pk}", taken), Entry("psp_fees", fee), Entry("psp_clearing", -taken - fee)]
    ledger.post(f"stripe:dp:{shown.id}:withdrawn", "dispute_withdrawn", entries, currency=shown.currency)


def _post_won(payer: BillingAccount, shown: CardDispute) -> None:
    """Once the money is back: the event of that comes for itself."""
    if not (moved := [one for one in shown.transactions if one.amount_cents > 0]):
        return
    back, fee = _nanos(moved, "amount_cents"), _nanos(moved, "fee_cents")
    entries = [Entry("psp_clearing", back - fee), Entry(f"dispute:{payer.pk}", -back), Entry("psp_fees", fee)]
    ledger.post(f"stripe:dp:{shown.id}:won", "dispute_won", entries, currency=shown.currency)


def _post_lost(payer: BillingAccount, dispute: Dispute, shown: CardDispute) -> None:
    """The payment is gone, and its credit with it; what was used of it is owed."""
    withdrawn = LedgerTxn.objects.filter(key=f"stripe:dp:{shown.id}:withdrawn").first()
    if withdrawn is None:
        return
    nanos = -_nanos([one for one in shown.transactions if one.amount_cents < 0], "amount_cents")
    holds.release(_hold_of(dispute))
    entries = [Entry(f"wallet:{payer.pk}", nanos), Entry(f"dispute:{payer.pk}", -nanos)]
    txn, is_new = ledger.post(f"stripe:dp:{shown.id}:lost", "dispute_lost", entries, currency=shown.currency)
    if is_new:
        bucket = CreditBucket.objects.filter(top_up__disputes=dispute).first()
        credit.consume(txn, credit.plan_return(payer.pk, nanos, first=bucket))
        accounts.tell_changed(payer.pk)


def _close(payer: BillingAccount, dispute: Dispute, now: datetime.datetime) -> None:
    Dispute.objects.filter(pk=dispute.pk).update(closed_at=now)
    dispute.closed_at = now
    holds.release(_hold_of(dispute))
    CreditBucket.objects.filter(top_up__disputes=dispute).update(is_frozen=False)
    restriction.restrict_if_owing(payer)
    restriction.lift_if_clear(payer)
    accounts.tell_changed(payer.pk)
    outcome = {"won": "decided for you: its credit can be used again", "lost": "lost: its credit is taken back"}
    text = f"The dispute of a payment was {outcome.get(dispute.status, 'closed')}."
    mails.send_after_commit(payer.pk, "A dispute is closed", text)


def _nanos(moved: list[BalanceTransaction], column: str) -> int:
    return sum(int(getattr(one, column)) * nanos_per_minor(one.currency) for one in moved)
