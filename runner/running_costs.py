"""What an account's work has cost so far while it runs, for pages that say so early.  Source: billing.md 15.2."""

import datetime
from dataclasses import dataclass

from billing.money import Nanos
from runner.models import Prediction
from runner.run_costs import cost_of_time
from runner.states import Status

_MICROSECOND = datetime.timedelta(microseconds=1)
_MOST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class RunningWork:
    """running: how many predictions work now; amount_nanos: what they would cost if they ended now."""

    running: int
    waiting: int
    amount_nanos: Nanos


def running_work(account_id: int, *, now: datetime.datetime) -> RunningWork:
    """The work of a moment (aware). Predictions on instances of one's own are paid by the instance's time."""
    alive = Prediction.objects.filter(account_id=account_id)
    rows = list(
        alive.filter(status=Status.PROCESSING, started_at__isnull=False)
        .select_related("price")
        .only("started_at", "billing_class", "price")[:_MOST_ROWS]
    )
    amount = sum(cost_of_time(row, max(0, (now - row.started_at) // _MICROSECOND)) for row in rows if row.started_at)
    return RunningWork(len(rows), alive.filter(status=Status.STARTING).count(), Nanos(amount))
