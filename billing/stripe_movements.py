"""Every movement of our balance at Stripe and the posting that explains it; what nothing explains lies in suspense.

A movement whose posting is missing is settled first, as its webhook would have.  Source: billing.md 16.2 `stripe`.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from billing import card_refunds, disputes, ledger, payouts, top_ups
from billing.cents import nanos_per_minor
from billing.ledger import Entry
from billing.models import BillingAccount, LedgerTxn, StripeCursor
from billing.reconciliation import Difference
from billing.stripe_gateway import balance
from billing.stripe_gateway.errors import StripeFailure
from billing.stripe_gateway.objects import BalanceTransaction
from billing.top_up_settling import post_fee

log = structlog.get_logger(__name__)

_CURSOR = "balance_transactions"
_OVERLAP = datetime.timedelta(days=3)
_ALL = datetime.datetime(2011, 1, 1, tzinfo=datetime.UTC)  # Stripe's first year
_BESIDE = datetime.timedelta(days=3)  # a payment and the posting of its invoice
_OWN_FEES = ("stripe_fee", "tax_fee")


@dataclass(frozen=True, slots=True)
class Explanation:
    """The posting that a movement must have. includes_fee: it posts what Stripe kept, too."""

    key: str
    settle: Callable[[str], object]
    object_id: str
    includes_fee: bool = False


def explain_all(*, now: datetime.datetime | None = None) -> list[Difference]:
    """Match the movements since the last look, with an overlap; those that don't fit their posting."""
    now = now or timezone.now()
    cursor = StripeCursor.objects.filter(pk=_CURSOR).first()
    since = cursor.position - _OVERLAP if cursor else _ALL
    matched: set[int] = set()
    differences = [one for moved in balance.list_transactions(since=since) for one in _explain(moved, matched)]
    _review_suspense()
    StripeCursor.objects.update_or_create(pk=_CURSOR, defaults={"position": now})
    return differences


def _explain(moved: BalanceTransaction, matched: set[int]) -> Iterator[Difference]:
    if moved.type in _OWN_FEES:
        _post_own_fee(moved)
        return
    wanted = _explanation(moved)
    posted = _settled(wanted) if wanted else None
    posted = posted or _paid_invoice(moved, matched)
    if posted is None:
        _post_unexplained(moved, wanted.key if wanted else "")
        return
    with_fee = bool(wanted and wanted.includes_fee)
    _end_suspense(moved.id)
    if not with_fee:
        with transaction.atomic():
            post_fee(moved)
    expected = _nanos(moved, moved.net_cents if with_fee else moved.amount_cents)
    if (at_stripe := _clearing(posted)) != expected:
        yield Difference(posted.key, f"moved {at_stripe} nanos, at Stripe {moved.id} moved {expected}")


def _explanation(moved: BalanceTransaction) -> Explanation | None:
    """None for what no posting of ours is about. The types are Stripe's."""
    source = moved.source_id
    match moved.type:
        case "charge" | "payment" if moved.payment_intent_id:
            intent = moved.payment_intent_id
            return Explanation(f"stripe:pi:{intent}:paid", top_ups.settle_payment_intent, intent)
        case "refund" | "payment_refund":
            return Explanation(f"stripe:re:{source}", card_refunds.settle_refund, source)
        case "refund_failure" | "payment_failure_refund":
            return Explanation(f"stripe:re:{source}:failed", card_refunds.settle_refund, source)
        case "adjustment" if source.startswith(("dp_", "du_")):
            outcome = "withdrawn" if moved.amount_cents < 0 else "won"
            return Explanation(f"stripe:dp:{source}:{outcome}", disputes.settle_dispute, source, includes_fee=True)
        case "payout":
            return Explanation(f"stripe:po:{source}", payouts.settle_payout, source)
        case "payout_failure" | "payout_cancel":
            return Explanation(f"rev:stripe:po:{source}", payouts.settle_payout, source)
    return None


def _settled(wanted: Explanation) -> LedgerTxn | None:
    if posted := LedgerTxn.objects.filter(key=wanted.key).first():
        return posted
    try:
        wanted.settle(wanted.object_id)
    except StripeFailure as error:
        log.warning("stripe_movement_unsettled", key=wanted.key, error=type(error).__name__)
    return LedgerTxn.objects.filter(key=wanted.key).first()


def _paid_invoice(moved: BalanceTransaction, matched: set[int]) -> LedgerTxn | None:
    """The posting of an invoice that this charge paid: of the same customer and amount, at about the same time.

    A charge does not name its invoice; each posting explains one charge.
    """
    payer = BillingAccount.objects.filter(stripe_customer_id=moved.customer_id or None).first()
    if payer is None or moved.amount_cents <= 0:
        return None
    paid = LedgerTxn.objects.filter(
        kind="invoice_paid",
        entries__code=f"receivable:{payer.pk}",
        entries__amount_nanos=-_nanos(moved, moved.amount_cents),
        effective_at__range=(moved.created - _BESIDE, moved.created + _BESIDE),
    )
    found = paid.exclude(pk__in=matched).order_by("effective_at", "pk").first()
    if found:
        matched.add(found.pk)
    return found


def _post_own_fee(moved: BalanceTransaction) -> None:
    """What Stripe charges by itself, not for a payment."""
    nanos = -_nanos(moved, moved.net_cents)
    with transaction.atomic():
        entries = [Entry("psp_fees", nanos), Entry("psp_clearing", -nanos)]
        ledger.post(f"stripe:txn:{moved.id}:fee", "psp_fee", entries, currency=moved.currency)


def _unexplained_key(transaction_id: str) -> str:
    return f"stripe:txn:{transaction_id}:unexplained"


def _post_unexplained(moved: BalanceTransaction, explained_by: str) -> None:
    """Into suspense, until its posting is there or a person has decided."""
    if not (nanos := _nanos(moved, moved.net_cents)):
        return
    with transaction.atomic():
        _, is_new = ledger.post(
            _unexplained_key(moved.id),
            "unexplained",
            [Entry("psp_clearing", nanos), Entry("suspense", -nanos)],
            currency=moved.currency,
            meta={"type": moved.type, "source": moved.source_id, "explained_by": explained_by},
        )
    if is_new:
        log.error("stripe_movement_unexplained", transaction=moved.id, type=moved.type, source=moved.source_id)


def _end_suspense(transaction_id: str) -> None:
    if lying := LedgerTxn.objects.filter(key=_unexplained_key(transaction_id)).first():
        with transaction.atomic():
            ledger.reverse(lying, kind="unexplained")


def _review_suspense() -> None:
    """What lies there since long ago may have its posting by now."""
    lying = LedgerTxn.objects.filter(kind="unexplained", corrects=None, corrections=None)
    for txn in lying.exclude(meta__explained_by=""):
        if LedgerTxn.objects.filter(key=txn.meta["explained_by"]).exists():
            with transaction.atomic():
                ledger.reverse(txn, kind="unexplained")


def _clearing(posted: LedgerTxn) -> int:
    entries = posted.entries.filter(code="psp_clearing")
    return int(entries.aggregate(total=Sum("amount_nanos", default=0))["total"])


def _nanos(moved: BalanceTransaction, cents: int) -> int:
    return cents * nanos_per_minor(moved.currency)
