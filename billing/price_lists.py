"""Set prices: of hardware, of a model, of a contract. What was accepted at a price stays at it.

Decreases hold at once; increases need notice, an hour for hardware and a week for models.  Source: billing.md 5.2.
"""

import datetime
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts import audit
from accounts.models import Account, User
from billing import prices
from billing.models import Meter, Price, UsageRecord
from billing.prices import TIME_METERS, choose, model_sku
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed

CLOCK_SLACK = datetime.timedelta(minutes=5)  # between opening a form with "now" in it and sending it
HARDWARE_NOTICE = datetime.timedelta(hours=1)
MODEL_NOTICE = datetime.timedelta(days=7)
_TOKENS = (Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS)


@dataclass(frozen=True, slots=True)
class Line:
    """One price of a list. selector: members of an input that it is for; none: for all others of its meter.

    markup_nanos: the publisher's part of the rate.
    """

    meter: str
    rate_nanos: int
    per_units: int = 1_000_000
    selector: Mapping[str, Any] = field(default_factory=dict)
    min_charge_nanos: int = 0
    markup_nanos: int = 0


def set_hardware_price(
    actor: User,
    *,
    sku: str,
    rate_nanos: int,
    effective_from: datetime.datetime,
    reason: str,
    account: Account | None = None,
) -> Price:
    """Set what a second on a SKU costs from a moment on, by contract with an account.

    rate_nanos: nano-dollars per second, ≥ 0. Raises Conflict for a moment that is past, too soon, or has a price.
    """
    details = {"rate_nanos": rate_nanos, "effective_from": effective_from.isoformat()}
    with transaction.atomic():
        [price] = _add(sku, account, [Line(Meter.COMPUTE_TIME, rate_nanos)], effective_from)
        audit.record(actor, "add_price", _subject(sku, account), reason=reason, **details)
    return price


def set_model_prices(
    actor: User,
    *,
    model_name: str,
    lines: Sequence[Line],
    effective_from: datetime.datetime,
    reason: str,
    account: Account | None = None,
) -> list[Price]:
    """Set what runs of a model cost from a moment on, by time or by what they make; with an account by contract.

    Raises ValidationFailed (lines that don't make a list), Conflict (as `set_hardware_price`).
    """
    ensure_list(lines)
    sku = model_sku(model_name)
    details = {"effective_from": effective_from.isoformat(), "lines": [_told(line) for line in lines]}
    with transaction.atomic():
        added = _add(sku, account, lines, effective_from)
        audit.record(actor, "set_model_prices", _subject(sku, account), reason=reason, **details)
    return added


def check(
    target: str, lines: Sequence[Line], effective_from: datetime.datetime, *, account: Account | None = None
) -> None:
    """May these lines be a SKU's, or a model's (`owner/name`), from then on? Raises ValidationFailed, Conflict."""
    if "/" in target:
        ensure_list(lines)
    _ensure_may_start(model_sku(target) if "/" in target else target, account, lines, effective_from)


def _ensure_may_start(
    sku: str, account: Account | None, lines: Sequence[Line], effective_from: datetime.datetime
) -> None:
    """Raises Conflict for a moment in the past, too soon for an increase, or at which a price starts already."""
    now = datetime.datetime.now(datetime.UTC)
    if effective_from < now - CLOCK_SLACK:
        raise Conflict("A price can't start in the past.")
    before = prices.book_at(effective_from).list_of(sku, account.pk if account else None)
    is_model = sku.startswith("model:")
    goes_up = is_increase(before, lines) if before else is_model
    notice = _notice(sku) if goes_up else datetime.timedelta()
    if notice and effective_from < now + notice - CLOCK_SLACK:
        hours = int(notice.total_seconds() // 3600)
        raise Conflict(f"A price that goes up must be known {hours} hours before it starts.")
    if Price.objects.filter(sku=sku, account=account, effective_from=effective_from).exists():
        raise Conflict("A price for this hardware or model already starts at this time.")


def _notice(sku: str) -> datetime.timedelta:
    """How long before a higher price must be known; of a model that nobody was charged for it need not."""
    if not sku.startswith("model:"):
        return HARDWARE_NOTICE
    is_known = UsageRecord.objects.filter(model_name__iexact=sku.partition(":")[2]).exists()
    return MODEL_NOTICE if is_known else datetime.timedelta()


def is_increase(before: Sequence[Price], after: Sequence[Price | Line]) -> bool:
    """Does any run cost more by the second list, or is it charged for something else?"""
    if {price.meter for price in before} != {line.meter for line in after}:
        return True
    return any(
        _is_dearer(new, old)
        for meter, selector in [(line.meter, line.selector) for line in (*before, *after)]
        if (old := choose(before, meter, selector)) and (new := _choose(after, meter, selector))
    )


def ensure_list(lines: Sequence[Line]) -> None:
    """Raises ValidationFailed unless the lines say what every run costs, by time or by units, and only once."""
    errors: list[FieldError] = []
    meters = {line.meter for line in lines}
    if not lines:
        errors.append(FieldError("/lines", "There must be a price."))
    if meters & TIME_METERS and meters - {Meter.COMPUTE_TIME}:
        errors.append(FieldError("/lines", "A model is priced by its time or by what it makes, never by both."))
    errors += [
        FieldError("/lines", f"{meter} needs a price for inputs that no selector is for.")
        for meter in sorted(meters - {line.meter for line in lines if not line.selector})
    ]
    if meters & set(_TOKENS) and not set(_TOKENS) <= meters:
        errors.append(FieldError("/lines", "Input and output tokens each need a price."))
    for one, other in itertools.combinations(lines, 2):
        if one.meter == other.meter and _is_ambiguous(one.selector, other.selector):
            errors.append(FieldError("/lines", f"Two prices of {one.meter} are for the same inputs."))
    errors += [FieldError("/lines", problem) for line in lines if (problem := _problem(line))]
    if errors:
        raise ValidationFailed(errors)


def _problem(line: Line) -> str:
    if line.meter not in Meter.values:
        return f"{line.meter} is no meter."
    if line.rate_nanos < 0 or line.per_units <= 0 or line.min_charge_nanos < 0:
        return "A price can't be below zero, nor per nothing."
    if not 0 <= line.markup_nanos <= line.rate_nanos:
        return "The publisher's part can't be more than the price."
    if not all(isinstance(value, str | int | bool) for value in line.selector.values()):
        return "A selector's values are texts, whole numbers, true or false."
    return ""


def _is_ambiguous(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equally specific, and one input can fit both."""
    return len(one) == len(other) and all(one[name] == other[name] for name in one.keys() & other.keys())


def _choose(lines: Sequence[Price | Line], meter: str, selector: Mapping[str, Any]) -> Price | Line | None:
    fitting = [line for line in lines if line.meter == meter and prices.fits(line.selector, selector)]
    return max(fitting, key=lambda line: len(line.selector), default=None)


def _is_dearer(new: Price | Line, old: Price) -> bool:
    return new.rate_nanos * old.per_units > old.rate_nanos * new.per_units or (
        new.min_charge_nanos > old.min_charge_nanos
    )


def _add(sku: str, account: Account | None, lines: Sequence[Line], effective_from: datetime.datetime) -> list[Price]:
    _ensure_may_start(sku, account, lines, effective_from)
    return Price.objects.bulk_create(
        Price(
            sku=sku,
            account=account,
            meter=line.meter,
            selector=dict(line.selector),
            rate_nanos=line.rate_nanos,
            per_units=line.per_units,
            min_charge_nanos=line.min_charge_nanos,
            markup_nanos=line.markup_nanos,
            effective_from=effective_from,
        )
        for line in lines
    )


def _subject(sku: str, account: Account | None) -> str:
    return f"price/{sku}/{account.username}" if account else f"price/{sku}"


def _told(line: Line) -> dict[str, Any]:
    return {
        "meter": str(line.meter),
        "rate_nanos": line.rate_nanos,
        "per_units": line.per_units,
        "selector": dict(line.selector),
        "min_charge_nanos": line.min_charge_nanos,
        "markup_nanos": line.markup_nanos,
    }
