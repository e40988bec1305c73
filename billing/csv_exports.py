"""CSV files about money: rows from the database, streamed, safe to open in a spreadsheet.

Amounts are decimal strings with nine digits, times ISO in UTC.  Source: billing.md 16.4.
"""

import csv
import datetime
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import CharField, Count, F, Func, Q, Sum, Value
from django.db.models.functions import TruncDate

from accounts.models import User
from billing.cents import minor_as_decimal_string
from billing.models import Invoice, LedgerEntry, UsageRecord
from billing.money import NANOS_PER_UNIT

Cell = str | int | None
Rows = Iterable[Sequence[Cell]]
_AT_ONCE = 2_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
USAGE_COLUMNS = (
    "record_key",
    "occurred_at",
    "service_period",
    "prediction_id",
    "training_id",
    "instance_id",
    "model",
    "model_version",
    "owner",
    "deployment",
    "hardware",
    "meter",
    "quantity",
    "unit",
    "unit_price",
    "gross",
    "amount",
    "currency",
    "api_token_id",
    "member",
    "status",
    "fault_class",
    "price_version",
    "invoice",
)
_UNITS = {"compute_time": "us", "instance_time": "us", "output_video_time": "ms", "output_audio_time": "ms"}


class _Echo:
    """What the writer writes to: it hands each line back."""

    def write(self, line: str) -> str:
        return line


def as_csv(rows: Rows) -> Iterator[str]:
    """Lines by RFC 4180. Text that a spreadsheet would take for a formula gets a quote before it."""
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([_safe(cell) for cell in row])


def amount(nanos: int) -> str:
    """`-0.000277778`: units with nine digits, always."""
    whole, fraction = divmod(abs(nanos), NANOS_PER_UNIT)
    return f"{'-' if nanos < 0 else ''}{whole}.{fraction:09d}"


class Number(str):
    """A number as text, which may begin with a minus: never a formula."""

    __slots__ = ()


def usage(account_id: int, period: str) -> Iterator[Sequence[Cell]]:
    """The header, then each of an account's usage records of a month, `YYYY-MM`, oldest first."""
    yield USAGE_COLUMNS
    ranges = list(
        Invoice.objects.filter(account_id=account_id)
        .order_by("first_seq")
        .values_list("first_seq", "last_seq", "number")
    )
    records = UsageRecord.objects.filter(account_id=account_id, period=period).select_related("price", "posting")
    members: dict[int | None, str] = {None: ""}
    for record in records.order_by("occurred_at", "pk").iterator(chunk_size=_AT_ONCE):
        if record.user_id is not None and record.user_id not in members:
            found = User.objects.filter(pk=record.user_id).values_list("username", flat=True).first()
            members[record.user_id] = found or ""
        yield _usage_row(record, members[record.user_id], _number_of(record, ranges))


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
            f"{amount(price.rate_nanos)} per {price.per_units}" if price else "",
            Number(amount(line.amount_nanos)),
            Number(minor_as_decimal_string(line.amount_cents, invoice.currency)),
            invoice.currency,
        ]


def journal(month: str) -> Iterator[Sequence[Cell]]:
    """For bookkeeping: debits and credits of each day, kind of posting and kind of ledger account, of a month."""
    yield ["day", "kind", "account", "debit", "credit", "currency", "postings"]
    first = datetime.datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
    entries = LedgerEntry.objects.filter(txn__effective_at__gte=first, txn__effective_at__lt=_next_month(first))
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
        yield [str(day), kind, account, amount(int(debit)), amount(-int(credit)), currency, postings]


def _usage_row(record: UsageRecord, member: str, invoice: str) -> Sequence[Cell]:
    kind, _, subject_id = record.subject.partition("/")
    price = record.price
    return [
        record.key,
        record.occurred_at.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z"),
        record.period,
        subject_id if kind == "prediction" else "",
        subject_id if kind == "training" else "",
        subject_id if kind == "instance" else "",
        record.model_name,
        record.version_id,
        record.model_name.partition("/")[0],
        record.deployment_name,
        record.hardware,
        record.meter,
        record.quantity,
        _UNITS.get(record.meter, "1"),
        f"{amount(price.rate_nanos)} per {price.per_units}",
        Number(amount(record.gross_nanos)),
        Number(amount(record.amount_nanos)),
        record.currency,
        record.token_id,
        member,
        _status(record),
        record.fault_class,
        price.pk,
        invoice,
    ]


def _status(record: UsageRecord) -> str:
    if record.corrects_id:
        return "correction"
    return "posted" if record.posting else "pending"


def _number_of(record: UsageRecord, ranges: Sequence[tuple[int, int, str]]) -> str:
    if record.posting is None:
        return ""
    seq = record.posting.seq
    return next((number for first, last, number in ranges if first <= seq <= last), "")


def _safe(cell: Cell) -> Cell:
    is_text = isinstance(cell, str) and not isinstance(cell, Number)
    return f"'{cell}" if is_text and str(cell).startswith(_FORMULA) else cell


def _next_month(first: datetime.datetime) -> datetime.datetime:
    return (first + datetime.timedelta(days=31)).replace(day=1)
