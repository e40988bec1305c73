"""Runs that work are held for a little ahead of themselves; what can't be paid any longer is stopped.

One beat for all hosts. It looks at rows only, so a beat that is missed is made up for by the next; what runs is held
for half a minute ahead, which is three beats.  Source: billing.md 8.1, "Running past the hold"; 8.3.
"""

import datetime
from collections.abc import Iterable
from itertools import groupby

import structlog
from django.utils import timezone
from kombu.exceptions import OperationalError

from billing import holds
from billing.classes import BillingClass
from billing.holds import Extension
from billing.models import BillingAccount, Hold
from billing.rating import cost
from billing.tasks import reload_credit
from runner import costs, predictions
from runner.models import Prediction
from runner.states import Status

log = structlog.get_logger(__name__)

BEAT_SECONDS = 10.0
_AHEAD = datetime.timedelta(seconds=30)
_UNTIL_NEXT = datetime.timedelta(seconds=1.5 * BEAT_SECONDS)  # what a hold must cover, or there may be no next time
_BY_TIME = (BillingClass.SHARED, BillingClass.TRAINING)
_MICROSECOND = datetime.timedelta(microseconds=1)
NO_CREDIT = "The run was stopped: its account has no credit left (insufficient_credit)"
AT_LIMIT = "The run was stopped: a spend limit of its account is reached (spend_limit_reached)"


def beat(*, now: datetime.datetime | None = None) -> list[str]:
    """Extend what is held for runs that work, stop those that it no longer suffices for; the ids of the stopped."""
    now = now or timezone.now()
    with_holds = Hold.objects.filter(state=Hold.State.OPEN).values("account_id")
    working = Prediction.objects.filter(status=Status.PROCESSING, started_at__isnull=False, account__in=with_holds)
    working = working.filter(billing_class__in=_BY_TIME)
    rows = working.select_related("price").defer("input", "output", "logs").order_by("account_id", "started_at")
    return [
        stopped
        for account_id, runs in groupby(rows.iterator(), key=lambda run: run.account_id)
        for stopped in _look_after(account_id, list(runs), now)
    ]


def _look_after(account_id: int, runs: list[Prediction], now: datetime.datetime) -> Iterable[str]:
    open_holds = Hold.objects.filter(subject__in=map(costs.subject_of, runs), state=Hold.State.OPEN).in_bulk()
    held = {run: open_holds[costs.subject_of(run)].amount_nanos for run in runs if costs.subject_of(run) in open_holds}
    wanted = {run: _cost_at(run, now + _AHEAD) - amount for run, amount in held.items()}
    short = {run: amount for run, amount in wanted.items() if amount > 0}
    given = holds.extend(account_id, {costs.subject_of(run): amount for run, amount in short.items()})
    if any(given.get(costs.subject_of(run), Extension(0)).nanos < amount for run, amount in short.items()):
        _ask_for_credit(account_id)
    for run in short:
        extension = given.get(costs.subject_of(run))
        if extension and held[run] + extension.nanos < _cost_at(run, now + _UNTIL_NEXT):
            _stop(run, extension)
            yield run.pk


def _ask_for_credit(account_id: int) -> None:
    """Wake who buys credit, where the account wants that. With the broker down the sweep does it later."""
    if BillingAccount.objects.filter(pk=account_id, reload_enabled=True).exists():
        try:
            reload_credit.apply_async(args=(account_id,), retry=False)
        except (OperationalError, OSError) as error:
            log.warning("wakeup_lost", type="reload_credit", account_id=account_id, error=str(error))


def _cost_at(run: Prediction, moment: datetime.datetime) -> int:
    """What it will have cost by then."""
    assert run.started_at is not None
    amount = cost(max(0, (moment - run.started_at) // _MICROSECOND), run.price)
    return amount if run.cost_cap_nanos is None else min(amount, run.cost_cap_nanos)


def _stop(run: Prediction, extension: Extension) -> None:
    log.info("run_stopped", prediction=run.pk, account_id=run.account_id, by_limit=extension.by_limit)
    error, cause = (AT_LIMIT, "a spend limit was reached") if extension.by_limit else (NO_CREDIT, "no credit left")
    predictions.end_canceled(run.pk, error=error, cause=cause)
