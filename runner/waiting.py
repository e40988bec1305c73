"""What a waiting prediction may be told: its place in the fair order, why it waits, and when it may start.

An estimate from what runs like it took, or nothing at all. An extension of the wire contract.
"""

import datetime
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.utils import timezone

from marketplace.lib.timestamps import timestamp
from runner import instances, queueing, quotes
from runner.models import Prediction
from runner.pools import Pool
from runner.queueing import WaitingReason
from runner.states import INSTANCE_ENDED, INSTANCE_UP, Status

_PLACES_SECONDS = 1.0  # how long an answer may be old; clients ask every half a second
_HISTORY_SECONDS = 30.0
_HISTORIES_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class History:
    """What runs and starts of a pool took, in the middle, in seconds; None where nothing is known."""

    run: float | None
    cold_start: float | None


@dataclass(frozen=True, slots=True)
class Servers:
    """The instances of a pool. since: when the oldest that is not ready yet was started."""

    slots: int  # of those that are ready
    running: int  # predictions
    since: datetime.datetime | None


_places: list[tuple[float, dict[str, int]]] = []  # one answer for all who ask within a second
_histories: dict[Pool, tuple[float, History]] = {}


def queue_document(prediction: Prediction) -> dict[str, Any] | None:
    """`queue` of a prediction that waits; None for others."""
    reason = queueing.waiting_reason(prediction)
    if reason is None:
        return None
    place = place_of(prediction)
    start = expected_start(place, _servers(prediction.pool), _history(prediction), now=timezone.now())
    return {
        "place": place,
        "reason": reason.code,
        "message": WaitingReason(reason.code, place - 1).sentence,
        "expected_start_at": timestamp(start) if start else None,
    }


def expected_start(
    place: int, servers: Servers, history: History, *, now: datetime.datetime
) -> datetime.datetime | None:
    """When a slot may be free for who is at the place (from 1) of its pool; None where that can't be said.

    Those ahead take the free slots first; then everybody waits for whole runs, as if they ended one after the other.
    """
    if servers.slots:
        behind = place - max(0, servers.slots - servers.running)
        if behind <= 0:
            return now
        if history.run is None:
            return None
        return now + datetime.timedelta(seconds=history.run * -(-behind // servers.slots))
    if servers.since is None or history.cold_start is None or (place > 1 and history.run is None):
        return None
    ready = servers.since + datetime.timedelta(seconds=history.cold_start)
    return max(now, ready) + datetime.timedelta(seconds=(history.run or 0) * (place - 1))


def place_of(prediction: Prediction) -> int:
    """From 1, among those of its pool; of one beyond what a decision looks at, by age."""
    if not _places or _places[-1][0] < time.monotonic():
        _places[:] = [(time.monotonic() + _PLACES_SECONDS, _read_places())]
    if found := _places[-1][1].get(prediction.pk):
        return found
    older = queueing.waiting_in(prediction.pool).filter(created_at__lt=prediction.created_at)
    return older.count() + 1


def _read_places() -> dict[str, int]:
    rows = Prediction.objects.filter(status=Status.PROCESSING).values_list("account_id")
    running = dict(rows.order_by().annotate(Count("pk")))
    taken: Counter[Pool] = Counter()
    places: dict[str, int] = {}
    for item in queueing.fair_order(queueing.read_queue(), running):
        taken[item.pool] += 1
        places[item.prediction_id] = taken[item.pool]
    return places


def _servers(pool: Pool) -> Servers:
    rows = instances.of_pool(pool).exclude(state__in=INSTANCE_ENDED)
    found = list(rows.values_list("pk", "state", "slots", "created_at"))
    ready = {pk: slots for pk, state, slots, _ in found if state in INSTANCE_UP}
    return Servers(
        slots=sum(ready.values()),
        running=Prediction.objects.filter(instance__in=list(ready), status=Status.PROCESSING).count() if ready else 0,
        since=min((created for _, state, _, created in found if state not in INSTANCE_UP), default=None),
    )


def _history(prediction: Prediction) -> History:
    hit = _histories.get(prediction.pool)
    if hit and hit[0] > time.monotonic():
        return hit[1]
    basis = quotes.find_basis(prediction)
    found = History(
        run=None if basis is None else basis.p50 / quotes.MICROSECONDS,
        cold_start=quotes.usual_cold_start(prediction.pool),
    )
    if len(_histories) >= _HISTORIES_LIMIT:
        _histories.clear()
    _histories[prediction.pool] = (time.monotonic() + _HISTORY_SECONDS, found)
    return found


def forget() -> None:
    """Drop what this process remembers."""
    _places.clear()
    _histories.clear()
