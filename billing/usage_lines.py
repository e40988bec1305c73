"""Single usage records: narrowed, as the API shows them, and as rows of a CSV file.  Source: billing.md 15.1, 16.4."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery

from billing.models import Invoice, Meter, UsageRecord
from billing.money import as_fixed_string
from billing.prices import price_by_id
from billing.run_bills import FINAL, PENDING, line_document
from marketplace.lib.csv_rows import Cell, Number
from marketplace.lib.timestamps import timestamp

COLUMNS = (
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
_UNITS: Mapping[str, str] = {
    Meter.COMPUTE_TIME: "microsecond",
    Meter.INSTANCE_TIME: "microsecond",
    Meter.OUTPUT_IMAGE: "image",
    Meter.OUTPUT_VIDEO_TIME: "millisecond",
    Meter.OUTPUT_AUDIO_TIME: "millisecond",
    Meter.INPUT_TOKENS: "token",
    Meter.OUTPUT_TOKENS: "token",
    Meter.REQUEST: "run",
}
_TRAINING = "training"  # the billing class


def records_of(
    account_id: int,
    *,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    model: str = "",
    token: int | None = None,
    deployment: str = "",
    subject: str = "",
) -> QuerySet[UsageRecord]:
    """An account's records, with `invoice_number` and `corrects_key`. since, until: aware; not until `until` itself."""
    invoice = Invoice.objects.exclude(state=Invoice.State.VOID).filter(
        account_id=OuterRef("account_id"),
        first_seq__lte=OuterRef("posting__seq"),
        last_seq__gte=OuterRef("posting__seq"),
    )
    rows = UsageRecord.objects.filter(account_id=account_id).annotate(
        invoice_number=Subquery(invoice.values("number")[:1]), corrects_key=F("corrects__key")
    )
    wanted: dict[str, Any] = {
        "occurred_at__gte": since,
        "occurred_at__lt": until,
        "model_name": model or None,
        "token_id": token,
        "deployment_name": deployment or None,
        "subject": subject or None,
    }
    return rows.filter(**{name: value for name, value in wanted.items() if value is not None})


def record_document(record: Any) -> dict[str, Any]:
    """A record of `records_of` as the API shows it."""
    kind, subject_id = _subject(record)
    return {
        "id": record.key,
        "occurred_at": timestamp(record.occurred_at),
        "period": record.period,
        kind: subject_id,
        "model": record.model_name,
        "version": record.version_id,
        "hardware": record.hardware,
        "deployment": record.deployment_name or None,
        "class": record.billing_class,
        **line_document(record),
        "currency": record.currency,
        "token": None if record.token_id is None else str(record.token_id),
        "status": _status(record),
        "fault_class": record.fault_class,
        "corrects": record.corrects_key,
        "reason": record.reason,
        "invoice": record.invoice_number,
    }


def csv_row(record: Any, members: Mapping[str, str]) -> Sequence[Cell]:
    """A record of `records_of` under COLUMNS. members: names by ids as text."""
    kind, subject_id = _subject(record)
    price = price_by_id(record.price_id)
    return [
        record.key,
        record.occurred_at,
        record.period,
        subject_id if kind == "prediction" else None,
        subject_id if kind == "training" else None,
        subject_id if kind == "instance" else None,
        record.model_name,
        record.version_id,
        record.model_name.partition("/")[0],
        record.deployment_name,
        record.hardware,
        record.meter,
        record.quantity,
        _unit(record.meter, price.per_units),
        Number(as_fixed_string(price.rate_nanos)),
        Number(as_fixed_string(record.gross_nanos)),
        Number(as_fixed_string(record.amount_nanos)),
        record.currency,
        record.token_id,
        members.get(str(record.user_id)),
        _status(record),
        record.fault_class,
        record.price_id,
        record.invoice_number,
    ]


def _subject(record: UsageRecord) -> tuple[str, str]:
    kind, _, subject_id = record.subject.partition("/")
    return ("training" if record.billing_class == _TRAINING else kind), subject_id


def _status(record: UsageRecord) -> str:
    return PENDING if record.posting_id is None else FINAL


def _unit(meter: str, per_units: int) -> str:
    """What the unit price is for: `1000000 microseconds`, `1 image`."""
    unit = _UNITS[meter]
    return f"{per_units} {unit}{'s' if per_units != 1 else ''}"
