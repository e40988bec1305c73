"""What runs cost, as the API shows it on predictions: state, total, verdict, lines. Reads only.

Net of what was refunded.  Source: billing.md 7.3, 15.1.
"""

from collections.abc import Collection, Sequence
from typing import Any

from billing.models import UsageRecord
from billing.money import as_decimal_string
from billing.outcomes import verdict_of
from billing.prices import price_by_id

PENDING, FINAL, REFUNDED = "pending", "final", "refunded"


def bills_of(subjects: Collection[str]) -> dict[str, dict[str, Any]]:
    """The bills of ended runs by their subjects (`prediction/<id>`), by one query; of others there are none."""
    records: dict[str, list[UsageRecord]] = {}
    for record in UsageRecord.objects.filter(subject__in=subjects).order_by("id"):
        records.setdefault(record.subject, []).append(record)
    return {subject: bill_document(found) for subject, found in records.items()}


def bill_document(records: Sequence[UsageRecord]) -> dict[str, Any]:
    """One run's. records: all of its, corrections too, in order; at least one."""
    total = sum(record.amount_nanos for record in records)
    return {
        "status": state_of(records),
        "total": as_decimal_string(total),
        "currency": records[0].currency,
        "verdict": verdict_of(records[0].fault_class) or "none",
        "lines": [line_document(record) for record in records if record.corrects_id is None],
    }


def state_of(records: Sequence[UsageRecord]) -> str:
    """pending: not posted yet. refunded: wholly or in part, so that the lines cost more than the total."""
    if any(record.corrects_id is not None for record in records):
        return REFUNDED
    return PENDING if any(record.posting_id is None for record in records) else FINAL


def line_document(record: UsageRecord) -> dict[str, Any]:
    """One line: `gross` is the price of the quantity, `amount` what is charged, less where a quote capped it."""
    price = price_by_id(record.price_id)
    return {
        "meter": record.meter,
        "quantity": record.quantity,
        "unit_price": {"rate": as_decimal_string(price.rate_nanos), "per_units": price.per_units},
        "gross": as_decimal_string(record.gross_nanos),
        "amount": as_decimal_string(record.amount_nanos),
    }
