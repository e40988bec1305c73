"""What a prediction may be expected to take and to cost: from what runs like it took. An extension.

Only runs that succeeded on the same hardware count: of the same version where there are enough, else of its model.
Where there are too few of both nothing is said, rather than a guess.  Source: billing.md 2, 5.2.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db.models import QuerySet

from billing.models import Price
from billing.money import as_decimal_string, round_half_even
from billing.price_documents import line_document
from marketplace.lib.timestamps import timestamp
from runner import instances
from runner.models import Prediction
from runner.pools import Pool
from runner.run_costs import cost_of_time, costs_of_units, unit_prices
from runner.states import INSTANCE_UP, Status

FEWEST_RUNS = 5
_RUNS_LOOKED_AT = 200
_STARTS_LOOKED_AT = 20
MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Basis:
    """The runs that were looked at. microseconds: how long each took in the model, shortest first."""

    of: Literal["version", "model"]
    microseconds: list[int]
    since: datetime.datetime  # when the first of them was created

    @property
    def p50(self) -> int:
        """Microseconds that half of them did not exceed."""
        return percentile(self.microseconds, 50)

    @property
    def p90(self) -> int:
        """Microseconds that nine in ten did not exceed."""
        return percentile(self.microseconds, 90)


def percentile(ascending: Sequence[int], percent: int) -> int:
    """The smallest of the values that so many percent of them do not exceed. ascending: at least one value."""
    return ascending[max(1, -(-len(ascending) * percent // 100)) - 1]


def find_basis(prediction: Prediction) -> Basis | None:
    """Runs like this prediction, which may be one that is not written; None where there are too few."""
    like_it = Prediction.objects.filter(
        kind=Prediction.Kind.PREDICTION, status=Status.SUCCEEDED, hardware=prediction.hardware
    )
    kinds: tuple[tuple[Literal["version", "model"], QuerySet[Prediction]], ...] = (
        ("version", like_it.filter(version_id=prediction.version_id)),
        ("model", like_it.filter(model_id=prediction.model_id)),
    )
    for of, rows in kinds:
        newest = rows.order_by("-created_at").values_list("metrics__predict_time", "created_at")[:_RUNS_LOOKED_AT]
        runs = [(round(seconds * MICROSECONDS), at) for seconds, at in newest if isinstance(seconds, int | float)]
        if len(runs) >= FEWEST_RUNS:
            return Basis(of, sorted(taken for taken, _ in runs), min(at for _, at in runs))
    return None


def usual_cold_start(pool: Pool) -> float | None:
    """Seconds that the pool's instances took to be ready, in the middle; None where none ever was."""
    rows = instances.of_pool(pool).filter(ready_at__isnull=False).order_by("-created_at")
    taken = sorted(
        round((ready - created).total_seconds() * MICROSECONDS)
        for created, ready in rows.values_list("created_at", "ready_at")[:_STARTS_LOOKED_AT]
        if ready
    )
    return percentile(taken, 50) / MICROSECONDS if taken else None


def quote(prediction: Prediction) -> dict[str, Any]:
    """The answer to a creation with `dry_run`: what `predictions.prepare` accepted, and nobody will run."""
    basis = find_basis(prediction)
    document: dict[str, Any] = {
        "dry_run": True,
        "model": prediction.model_name,
        "version": prediction.version_label,
        "hardware": prediction.hardware,
        "billing_class": str(prediction.billing_class),
        "price": price_document(prediction.price),
        "unit_prices": [line_document(price) for price in unit_prices(prediction)],
        "expected": None if basis is None else _expected(basis, prediction),
    }
    if basis is None:
        document["reason"] = f"unknown: fewer than {FEWEST_RUNS} runs have succeeded on {prediction.hardware}"
    if prediction.deployment_name:
        document["deployment"] = prediction.deployment_name
    is_ready = instances.of_pool(prediction.pool).filter(state__in=INSTANCE_UP).exists()
    if not is_ready and (cold := usual_cold_start(prediction.pool)) is not None:
        document["cold_start_seconds"] = cold
    return document


def quote_of_many(prediction: Prediction, count: int) -> dict[str, Any]:
    """As `quote`, for so many like this one: also what all of them together may cost."""
    document = {**quote(prediction), "predictions": count}
    if expected := document["expected"]:
        low, high = (expected["cost"][name] * count for name in ("p50_nanos", "p90_nanos"))
        document["expected_total_cost"] = _costs(prediction.price, low, high)
    return document


def cost_at(prediction: Prediction, basis: Basis, percent: int) -> int:
    """Nano-dollars that so many percent of the runs like it would not have exceeded at its prices."""
    if costs := costs_of_units(prediction):
        return percentile(costs, percent)
    return cost_of_time(prediction, percentile(basis.microseconds, percent))


def _costs(price: Price, low: int, high: int) -> dict[str, Any]:
    return {
        "currency": price.currency,
        "p50": as_decimal_string(low),
        "p90": as_decimal_string(high),
        "p50_nanos": low,
        "p90_nanos": high,
    }


def _expected(basis: Basis, prediction: Prediction) -> dict[str, Any]:
    return {
        "seconds": {"p50": basis.p50 / MICROSECONDS, "p90": basis.p90 / MICROSECONDS},
        "cost": _costs(prediction.price, *(cost_at(prediction, basis, percent) for percent in (50, 90))),
        "basis": {"runs": len(basis.microseconds), "of": basis.of, "since": timestamp(basis.since)},
    }


def price_document(price: Price) -> dict[str, Any]:
    """A price per second, in units of the currency and in nanos."""
    nanos = round_half_even(price.rate_nanos * MICROSECONDS, price.per_units)
    return {"currency": price.currency, "per_second": as_decimal_string(nanos), "per_second_nanos": nanos}
