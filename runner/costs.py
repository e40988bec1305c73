"""What a run may be expected to cost before it has run: how much is held for it.  Source: billing.md 8.1."""

import time
from collections.abc import Callable, Sequence

from billing import holds
from billing.holds import HoldRequest
from runner.engine.patience import time_limit_seconds
from runner.models import Prediction
from runner.quotes import MICROSECONDS, percentile
from runner.run_costs import cost_of_time, costs_of_units, is_by_units, usual_cost_of_units
from runner.states import Status

_UNKNOWN_US = 30 * MICROSECONDS  # of a version that nobody ran yet
_LEAST_US = MICROSECONDS
_ROOM = 2  # times what nearly all runs took
_RUNS_LOOKED_AT = 200
_CACHE_SECONDS = 60.0
_CACHE_LIMIT = 10_000
_ENDLESS_NANOS = 10**18  # a run without a time limit may cost all that there is
_cache: dict[tuple[str, str, str], tuple[float, int | None]] = {}


def subject_of(prediction: Prediction) -> str:
    """What its hold and its usage are kept under."""
    return f"prediction/{prediction.pk}"


def hold_request(prediction: Prediction) -> HoldRequest:
    """How much is to be held for a run that is about to be written: at most what a binding quote says it costs."""
    cap = prediction.cost_cap_nanos
    limit_us = round(time_limit_seconds(prediction.pool) * MICROSECONDS)
    if is_by_units(prediction):
        usual = most = _usual_units(prediction)
    else:
        usual = cost_of_time(prediction, _held_us(prediction, limit_us))
        most = cost_of_time(prediction, limit_us) if limit_us or not usual else _ENDLESS_NANOS
    return HoldRequest(
        subject_of(prediction),
        prediction.account_id,
        amount_nanos=usual if cap is None else cap,
        token_id=prediction.token_id,
        user_id=prediction.user_id,
        deployment_name=prediction.deployment_name,
        most_nanos=most if cap is None else cap,
    )


def hold_requests(predictions: Sequence[Prediction]) -> list[HoldRequest]:
    """For those whose accounts are held; to know what the others may cost would take looking."""
    return [hold_request(prediction) for prediction in predictions if holds.is_held(prediction.account_id)]


def _usual_units(prediction: Prediction) -> int:
    """What 19 of 20 recent runs would not exceed."""
    key = (prediction.version_id, "units", str(prediction.unit_price_ids))
    found = _remembered(key, lambda: percentile(costs, 95) if (costs := costs_of_units(prediction)) else None)
    return usual_cost_of_units(prediction) if found is None else found


def _held_us(prediction: Prediction, limit_us: int) -> int:
    usual = usual_us(prediction)
    wanted = _UNKNOWN_US if usual is None else max(_LEAST_US, _ROOM * usual)
    return min(wanted, limit_us) if limit_us else wanted


def usual_us(prediction: Prediction) -> int | None:
    """Microseconds that 19 of 20 recent runs of its version on its hardware did not exceed; None without any.

    Remembered for a minute in each process.
    """
    key = (prediction.version_id, prediction.hardware, str(prediction.kind))
    return _remembered(key, lambda: _find_usual_us(prediction))


def _find_usual_us(prediction: Prediction) -> int | None:
    like_it = Prediction.objects.filter(
        version_id=prediction.version_id,
        hardware=prediction.hardware,
        kind=prediction.kind,
        status=Status.SUCCEEDED,
    )
    newest = like_it.order_by("-created_at").values_list("metrics__predict_time", flat=True)[:_RUNS_LOOKED_AT]
    taken = sorted(round(seconds * MICROSECONDS) for seconds in newest if isinstance(seconds, int | float))
    return percentile(taken, 95) if taken else None


def _remembered(key: tuple[str, str, str], find: Callable[[], int | None]) -> int | None:
    hit = _cache.get(key)
    if hit and hit[0] > time.monotonic():
        return hit[1]
    found = find()
    if len(_cache) >= _CACHE_LIMIT:
        _cache.clear()
    _cache[key] = (time.monotonic() + _CACHE_SECONDS, found)
    return found


def forget() -> None:
    """Look again, for tests."""
    _cache.clear()
