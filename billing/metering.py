"""Write usage, once per key. Called in the transaction that ends what was used."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from billing.models import Meter, Price, UsageRecord
from billing.rating import cost


@dataclass(frozen=True, slots=True)
class PredictionUsage:
    """What one ended prediction used. predict_us: microseconds of processing that are charged, 0 for none.

    cap_nanos: what it may cost at most, by a binding quote; None without one.
    """

    prediction_id: str
    account_id: int
    predict_us: int
    price: Price
    occurred_at: datetime.datetime
    model_name: str
    version_id: str
    hardware: str
    token_id: int | None
    fault_class: str
    cap_nanos: int | None = None


def record_many(usages: Sequence[PredictionUsage]) -> None:
    """One record for each prediction; a key that is there already stays.  Source: billing.md 4.1 `shared`, 7.2."""
    UsageRecord.objects.bulk_create([_record(usage) for usage in usages], ignore_conflicts=True)


def _record(usage: PredictionUsage) -> UsageRecord:
    gross = cost(usage.predict_us, usage.price)
    return UsageRecord(
        key=f"pred:{usage.prediction_id}:{Meter.COMPUTE_TIME}",
        account_id=usage.account_id,
        subject=f"prediction/{usage.prediction_id}",
        meter=Meter.COMPUTE_TIME,
        quantity=usage.predict_us,
        price=usage.price,
        currency=usage.price.currency,
        gross_nanos=gross,
        amount_nanos=gross if usage.cap_nanos is None else min(gross, usage.cap_nanos),
        occurred_at=usage.occurred_at,
        period=f"{usage.occurred_at:%Y-%m}",
        model_name=usage.model_name,
        version_id=usage.version_id,
        hardware=usage.hardware,
        token_id=usage.token_id,
        fault_class=usage.fault_class,
    )
