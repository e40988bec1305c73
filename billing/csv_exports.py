"""CSV files about money: rows from the database, streamed, safe to open in a spreadsheet.

Amounts are decimal strings with nine digits, times ISO in UTC.  Source: billing.md 16.4.
"""

import datetime
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import CharField, Count, F, Func, Q, Sum, Value
from django.db.models.functions import TruncDate

from accounts.models import Account
from billing import publisher_shares, usage_groups, usage_lines
from billing.cents import minor_as_decimal_string
from billing.models import Invoice, LedgerEntry
from billing.money import as_fixed_string
from billing.periods import month_of
from marketplace.lib import csv_rows
from marketplace.lib.csv_rows import Cell, Number

Rows = Iterable[Sequence[Cell]]
_AT_ONCE = 2_000


def as_csv(rows: Rows) -> Iterator[bytes]:
    """The file's lines, one after the other."""
    return (csv_rows.encode([row]) for row in rows)


def usage(account_id: int, period: str) -> Iterator[Sequence[Cell]]:
    """The header, then each of an account's usage records of a month, `YYYY-MM`, oldest first."""
    yield usage_lines.COLUMNS
    members: dict[str, str] = {"None": ""}
    records = usage_lines.records_of(account_id).filter(period=period).select_related("posting")
    for record in records.order_by("occurred_at", "pk").iterator(chunk_size=_AT_ONCE):
        if str(record.user_id) not in members:
            assert record.user_id is not None
            members[str(record.user_id)] = ""
            members |= usage_groups.member_names([record.user_id])
        yield usage_lines.csv_row(record, members)


def invoice_lines(invoice: Invoice) -> Iterator[Sequence[Cell]]:
    """The header, then each line of an invoice; together its total."""
    yield ["invoice", "position", "kind", "description", "model", "hardware", "meter", "quantity", "runs", "unit_price",
           "exact_amount", "amount", "currency"]  # fmt: skip
    for line in invoice.lines.select_related("price").order_by("position"):
        price = line.price
        yield [
            invoice.number,
            line.position,
            line.kind,
            line.description,
            line.model_name,
            line.hardware,
            line.meter,
            line.quantity,
            line.runs,
            f"{as_fixed_string(price.rate_nanos)} per {price.per_units}" if price else "",
            Number(as_fixed_string(line.amount_nanos)),
            Number(minor_as_decimal_string(line.amount_cents, invoice.currency)),
            invoice.currency,
        ]


def journal(month: str) -> Iterator[Sequence[Cell]]:
    """For bookkeeping: debits and credits of each day, kind of posting and kind of ledger account, of a month."""
    yield ["day", "kind", "account", "debit", "credit", "currency", "postings"]
    span = month_of(datetime.datetime.fromisoformat(f"{month}-01T00:00:00+00:00"))
    entries = LedgerEntry.objects.filter(txn__effective_at__gte=span.starts_at, txn__effective_at__lt=span.ends_at)
    kind_of_account = Func(F("code"), Value(":"), Value(1), function="split_part", output_field=CharField())
    rows = (
        entries.annotate(day=TruncDate("txn__effective_at", tzinfo=datetime.UTC), account=kind_of_account)
        .values_list("day", "txn__kind", "account", "txn__currency")
        .annotate(
            debit=Sum("amount_nanos", filter=Q(amount_nanos__gt=0), default=0),
            credit=Sum("amount_nanos", filter=Q(amount_nanos__lt=0), default=0),
            postings=Count("txn", distinct=True),
        )
        .order_by("day", "txn__kind", "account", "txn__currency")
    )
    for day, kind, account, currency, debit, credit, postings in rows:
        yield [str(day), kind, account, as_fixed_string(int(debit)), as_fixed_string(-int(credit)), currency, postings]


def publisher_earnings(owner: Account, period: str) -> Iterator[Sequence[Cell]]:
    """The header, then what each model earned a publisher on each day of a month, before volume discounts.

    Never who used it: accounts are summed.
    """
    yield ["day", "model", "runs", "percent", "paid_usage", "currency"]
    sums: dict[tuple[str, str, int], list[int]] = {}
    for one in publisher_shares.earnings(owner, period):
        part = sums.setdefault((str(one.day), one.model_name, one.percent), [0, 0])
        part[0] += one.runs
        part[1] += one.counted_nanos
    for (day, model_name, percent), (runs, nanos) in sorted(sums.items()):
        yield [day, model_name, runs, percent, Number(as_fixed_string(nanos)), "usd"]


def payouts_due() -> Iterator[Sequence[Cell]]:
    """For operators: the header, then each publisher to whom something may be paid out now."""
    yield ["publisher", "email", "amount", "currency"]
    owners = Account.objects.filter(publisher_agreements__isnull=False).distinct().select_related("user")
    for owner in owners.order_by("username"):
        if due := publisher_shares.payable(owner):
            yield [owner.username, owner.user.email if owner.user else "", Number(as_fixed_string(due)), "usd"]
