"""What a run costs by its class: by its time, by what it makes, or nothing beside its instance's time.

What is held for it, quoted and shown early asks here; what is charged at its end follows the same prices.
Source: billing.md 4.1, 5.2, I27.
"""

from collections import defaultdict
from collections.abc import Mapping

from billing.classes import BillingClass
from billing.models import Meter, Price, UsageRecord
from billing.prices import prices_by_id
from billing.rating import charge_units, cost
from runner.models import Prediction
from runner.states import Status

_RUNS_LOOKED_AT = 200
_USUAL: Mapping[str, int] = {  # of a model that nobody ran yet
    Meter.OUTPUT_IMAGE: 1,
    Meter.OUTPUT_VIDEO_TIME: 5_000,
    Meter.OUTPUT_AUDIO_TIME: 5_000,
    Meter.INPUT_TOKENS: 1_000,
    Meter.OUTPUT_TOKENS: 1_000,
    Meter.REQUEST: 1,
}


def is_by_units(prediction: Prediction) -> bool:
    """Is it charged what it makes?"""
    return bool(prediction.billing_class == BillingClass.UNIT)


def unit_prices(prediction: Prediction) -> tuple[Price, ...]:
    """The prices of what it makes, pinned when it was made; none for other classes."""
    return prices_by_id(prediction.unit_price_ids)


def cost_of_time(prediction: Prediction, microseconds: int) -> int:
    """Nano-dollars for processing time: nothing for what is paid by units, or by the time of its instance."""
    is_by_time = prediction.billing_class in (BillingClass.SHARED, BillingClass.TRAINING)
    return cost(microseconds, prediction.price) if is_by_time else 0


def costs_of_units(prediction: Prediction) -> list[int]:
    """What recent runs of its version would cost at its prices, the cheapest first; empty for other classes."""
    prices = unit_prices(prediction)
    if not prices:
        return []
    like_it = Prediction.objects.filter(version_id=prediction.version_id, status=Status.SUCCEEDED)
    newest = like_it.order_by("-created_at").values_list("pk", flat=True)[:_RUNS_LOOKED_AT]
    made: defaultdict[str, dict[str, int]] = defaultdict(dict)
    records = UsageRecord.objects.filter(subject__in=[f"prediction/{pk}" for pk in newest], billing_class="unit")
    for subject, meter, quantity in records.filter(corrects=None).values_list("subject", "meter", "quantity"):
        made[subject][meter] = made[subject].get(meter, 0) + quantity
    return sorted(charge_units(units, prices) for units in made.values())


def usual_cost_of_units(prediction: Prediction) -> int:
    """What a run that makes little costs, for one that nothing is known of."""
    return charge_units(_USUAL, unit_prices(prediction))
