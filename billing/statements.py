"""An account's movements of money, newest first, with what was left after each: from the ledger itself.

Source: billing.md 6, 15.3.
"""

from dataclasses import dataclass

from billing.models import LedgerBalance, LedgerEntry, LedgerTxn
from billing.money import Nanos

_KINDS = ("wallet", "promo", "unbilled", "receivable", "dispute")
_IN_WORDS = {
    "top_up": "Credit bought",
    "grant": "Free credit",
    "grant_withdrawn": "Free credit withdrawn",
    "grant_expired": "Free credit expired",
    "credit_expired": "Credit expired",
    "usage": "Usage",
    "discount": "Volume discount",
    "usage_refund": "Refund",
    "invoice_issued": "Invoice issued",
    "invoice_paid": "Invoice paid",
    "invoice_paid_by_hand": "Invoice paid by transfer",
    "invoice_voided": "Invoice voided",
    "credit_note": "Credit note",
    "card_refund": "Sent back to the card",
    "card_refund_failed": "Sending back failed",
    "dispute_withdrawn": "Payment disputed",
    "dispute_won": "Dispute won",
    "dispute_lost": "Dispute lost",
    "write_off": "Written off",
}


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry. kind: `wallet` (bought credit), `promo`, `unbilled`, `receivable`, `dispute`.

    amount: above 0 what the account gained, below what it paid or came to owe; after: what that made of its kind.
    """

    txn: LedgerTxn
    kind: str
    amount_nanos: Nanos
    after_nanos: Nanos

    @property
    def words(self) -> str:
        """What it was."""
        return _IN_WORDS.get(self.txn.kind, self.txn.kind.replace("_", " ").capitalize())


def movements(account_id: int, *, limit: int) -> list[Movement]:
    """At most `limit` entries of the customer's ledger accounts, the newest."""
    codes = [f"{kind}:{account_id}" for kind in _KINDS]
    rows = LedgerEntry.objects.filter(code__in=codes)
    after = {row.code: row.posted_nanos for row in LedgerBalance.objects.filter(code__in=codes)}
    found: list[Movement] = []
    for entry in rows.select_related("txn").order_by("-pk")[:limit]:
        kind = entry.code.partition(":")[0]
        found.append(Movement(entry.txn, kind, Nanos(-entry.amount_nanos), Nanos(-after[entry.code])))
        after[entry.code] -= entry.amount_nanos
    return found
