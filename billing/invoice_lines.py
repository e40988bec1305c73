"""What stands on an invoice or statement: its lines in nanos, from postings and ledger entries since the one before.

Source: billing.md 2.4, 12.
"""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet, Sum

from billing.models import Invoice, InvoiceLine, LedgerBalance, LedgerEntry, UsagePosting, UsageRecord

Kind = InvoiceLine.Kind


@dataclass(frozen=True, slots=True)
class Draft:
    """A line before its cents are known; columns as in `InvoiceLine`."""

    kind: InvoiceLine.Kind
    description: str
    amount_nanos: int
    model_name: str = ""
    hardware: str = ""
    meter: str = ""
    price_id: int | None = None
    quantity: int | None = None
    runs: int | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """What an invoice covers: usage postings and entries of the customer's ledger accounts, each up to a position."""

    account_id: int
    posting_seq: int
    unbilled_seq: int
    wallet_seq: int


@dataclass(frozen=True, slots=True)
class Due:
    """What is owed now and not invoiced. overrun_nanos: how far the wallet is below zero, at least 0."""

    unbilled_nanos: int
    overrun_nanos: int

    @property
    def nanos(self) -> int:
        """Below zero where refunds exceed usage."""
        return self.unbilled_nanos + self.overrun_nanos


def reach_of(previous: Invoice | None, account_id: int) -> Reach:
    """Where the invoice before ended; at the very beginning without one."""
    if previous is None:
        return Reach(account_id, 0, 0, 0)
    return Reach(account_id, previous.last_seq, previous.unbilled_seq, previous.wallet_seq)


def reach_now(account_id: int, posting_seq: int) -> tuple[Reach, Due]:
    """Where an invoice that is issued now ends, and what is due. The caller holds the account's lock."""
    rows = {row.code: row for row in LedgerBalance.objects.filter(code__in=_codes(account_id))}
    unbilled, wallet = (rows.get(code) for code in _codes(account_id))
    reach = Reach(
        account_id,
        posting_seq,
        unbilled.entry_count if unbilled else 0,
        wallet.entry_count if wallet else 0,
    )
    due = Due(unbilled.posted_nanos if unbilled else 0, max(0, wallet.posted_nanos) if wallet else 0)
    return reach, due


def build(since: Reach, until: Reach, *, carried_nanos: int, due: Due) -> list[Draft]:
    """All lines, which add up to what is due: carried, usage, discounts, what credit paid, the overrun."""
    postings = UsagePosting.objects.filter(
        account_id=until.account_id, seq__gt=since.posting_seq, seq__lte=until.posting_seq
    )
    paid = postings.aggregate(
        promo=Sum("promo_nanos", default=0),
        wallet=Sum("wallet_nanos", default=0),
        internal=Sum("internal_nanos", default=0),
    )
    unbilled_code, wallet_code = _codes(until.account_id)
    unbilled = _entries(unbilled_code, since.unbilled_seq, until.unbilled_seq)
    wallet = _entries(wallet_code, since.wallet_seq, until.wallet_seq)
    overrun_before = carried_nanos - (due.unbilled_nanos - sum(unbilled.values()))
    wallet_discount = wallet.get("discount", 0)
    shown_elsewhere = {"usage", "usage_refund", "discount", "invoice_voided"}  # the first two by the usage lines
    adjusted = sum(amount for kind, amount in unbilled.items() if kind not in shown_elsewhere)
    lines = [
        Draft(Kind.CARRIED, "Carried over from before", carried_nanos),
        *_usage_lines(postings),
        Draft(Kind.DISCOUNT, "Volume discount", wallet_discount + unbilled.get("discount", 0)),
        Draft(Kind.CREDIT, "Not charged: internal use", -paid["internal"]),
        Draft(Kind.CREDIT, "Paid with free credit", -paid["promo"]),
        Draft(Kind.CREDIT, "Paid with purchased credit", -paid["wallet"] - wallet_discount),
        Draft(Kind.CARRIED, "Back from an invoice that was voided", unbilled.get("invoice_voided", 0)),
        Draft(Kind.CARRIED, "Adjustments", adjusted),
        Draft(Kind.OVERRUN, "Used beyond the credit", due.overrun_nanos - overrun_before),
    ]
    return [line for line in lines if line.amount_nanos or line.kind == Kind.USAGE]


def _codes(account_id: int) -> tuple[str, str]:
    return f"unbilled:{account_id}", f"wallet:{account_id}"


def _entries(code: str, after: int, until: int) -> dict[str, int]:
    """Sums by the kind of posting."""
    rows = LedgerEntry.objects.filter(code=code, seq__gt=after, seq__lte=until)
    sums = rows.values_list("txn__kind").annotate(total=Sum("amount_nanos")).order_by("txn__kind")
    return {kind: int(total) for kind, total in sums}


def _usage_lines(postings: QuerySet[UsagePosting]) -> list[Draft]:
    rows = (
        UsageRecord.objects.filter(posting__in=postings)
        .values("model_name", "hardware", "meter", "price_id")
        .annotate(
            amount=Sum("amount_nanos"),
            total_quantity=Sum("quantity"),
            runs=Count("subject", distinct=True, filter=Q(corrects=None)),
        )
        .order_by("model_name", "hardware", "meter", "price_id")
    )
    return [
        Draft(
            Kind.USAGE,
            f"{row['model_name']} on {row['hardware']}" if row["hardware"] else row["model_name"],
            int(row["amount"]),
            model_name=row["model_name"],
            hardware=row["hardware"],
            meter=row["meter"],
            price_id=row["price_id"],
            quantity=int(row["total_quantity"]),
            runs=row["runs"],
        )
        for row in rows
    ]
