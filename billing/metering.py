"""Write the usage of runs, once per key. Called in the transaction that ends what was used."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billing import quarantine, units
from billing.classes import BillingClass, FaultClass
from billing.models import Meter, Price, QuarantinedUsage, UsageRecord
from billing.outcomes import Charge, rule_of
from billing.rating import charge
from billing.units import Doubtful


@dataclass(frozen=True, slots=True)
class PredictionUsage:
    """What one ended prediction or training used, as it was measured; what of it is charged is decided here.

    predict_us: microseconds of processing. price: per compute time. cap_nanos: what it may cost at most, by a binding
    quote; None without one. unit_prices, metrics, files: of class `unit`: what it may make, what the model reports, and
    how many files its output has. observed_us: from start to end by the database's clock, None where nobody looked.
    limit_us: its time limit, 0 for none. doubt: why the time that was told is not believed.
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
    billing_class: str = BillingClass.SHARED
    has_started: bool = True
    user_id: int | None = None
    deployment_name: str = ""
    unit_prices: Sequence[Price] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    files: int = 0
    observed_us: int | None = None
    limit_us: int = 0
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    """One meter of one run. doubt: why nothing is charged until somebody has looked; told: what is doubted."""

    meter: str
    price: Price
    quantity: int
    doubt: str = ""
    told: int | None = None


def record_many(usages: Sequence[PredictionUsage]) -> None:
    """The records of ended runs; a key that is there already stays.  Source: billing.md 4.1, 4.3, 7.2."""
    records: list[UsageRecord] = []
    doubts: list[QuarantinedUsage] = []
    for usage in usages:
        left = usage.cap_nanos
        for line in _lines(usage):
            record = _record(usage, line, left)
            left = None if left is None else left - record.amount_nanos
            records.append(record)
            if line.doubt:
                doubts.append(quarantine.doubtful(record, why=line.doubt, quantity=line.told))
    UsageRecord.objects.bulk_create(records, ignore_conflicts=True)
    if doubts:
        quarantine.keep_many(doubts)


def _lines(usage: PredictionUsage) -> Iterator[_Line]:
    rule = rule_of(usage.fault_class, has_started=usage.has_started)
    match rule.charge(BillingClass(usage.billing_class)):
        case Charge.TIME:
            yield _time_line(usage)
        case Charge.UNITS:
            yield from (_unit_line(usage, price) for price in usage.unit_prices)
        case Charge.NOTHING if usage.unit_prices:
            yield from (_Line(price.meter, price, 0) for price in usage.unit_prices)
        case _:
            yield _Line(Meter.COMPUTE_TIME, usage.price, 0)


def _time_line(usage: PredictionUsage) -> _Line:
    told = usage.predict_us
    observed_us = told if usage.observed_us is None else usage.observed_us
    doubt = usage.doubt or quarantine.doubt_about(told, observed_us=observed_us, limit_us=usage.limit_us)
    if doubt:
        is_amount = 0 <= told <= quarantine.MOST_US
        return _Line(Meter.COMPUTE_TIME, usage.price, 0, doubt, told if is_amount else None)
    is_at_limit = usage.fault_class == FaultClass.TIMEOUT and usage.limit_us
    return _Line(Meter.COMPUTE_TIME, usage.price, min(told, usage.limit_us) if is_at_limit else told)


def _unit_line(usage: PredictionUsage, price: Price) -> _Line:
    has_succeeded = usage.fault_class == FaultClass.NONE
    try:
        made = units.delivered(price.meter, usage.metrics, files=usage.files, has_succeeded=has_succeeded)
    except Doubtful as error:
        return _Line(price.meter, price, 0, str(error))
    return _Line(price.meter, price, made)


def _record(usage: PredictionUsage, line: _Line, left: int | None) -> UsageRecord:
    gross = charge(line.quantity, line.price)
    return UsageRecord(
        key=f"pred:{usage.prediction_id}:{line.meter}",
        account_id=usage.account_id,
        subject=f"prediction/{usage.prediction_id}",
        meter=line.meter,
        quantity=line.quantity,
        price=line.price,
        currency=line.price.currency,
        gross_nanos=gross,
        amount_nanos=gross if left is None else min(gross, left),
        occurred_at=usage.occurred_at,
        period=f"{usage.occurred_at:%Y-%m}",
        billing_class=usage.billing_class,
        model_name=usage.model_name,
        version_id=usage.version_id,
        hardware=usage.hardware,
        deployment_name=usage.deployment_name,
        token_id=usage.token_id,
        user_id=usage.user_id,
        fault_class=usage.fault_class,
    )
