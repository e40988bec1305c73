"""Money that Stripe sends to our bank account.  Source: billing.md 6.3."""

from django.db import transaction

from billing import ledger
from billing.cents import nanos_per_minor
from billing.ledger import Entry
from billing.models import LedgerTxn
from billing.stripe_gateway import balance

_GONE = ("failed", "canceled")


def settle_payout(payout_id: str) -> None:
    """Post a payout, and the reverse of one that came back. Stripe's balance lacks the money from its creation on."""
    payout = balance.find_payout(payout_id)
    nanos = payout.amount_cents * nanos_per_minor(payout.currency)
    key = f"stripe:po:{payout.id}"
    with transaction.atomic():
        if payout.status in _GONE and not LedgerTxn.objects.filter(key=key).exists():
            return
        entries = [Entry("bank", nanos), Entry("psp_clearing", -nanos)]
        posted, _ = ledger.post(key, "payout_to_bank", entries, currency=payout.currency)
        if payout.status in _GONE:
            ledger.reverse(posted, kind="payout_to_bank")
