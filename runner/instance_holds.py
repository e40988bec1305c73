"""Instances that somebody pays for by their time are held for ten minutes ahead, and stop when that can't be paid.

Nothing is remembered of who can't pay: an instance whose hold runs out is stopped, one that can't be held for is not
started, and both are looked at again at the next beat. So all comes back by itself when money arrives.
Source: billing.md 8.1, `dedicated`; 8.2.
"""

import datetime

import structlog
from django.db.models import Sum
from django.utils import timezone

from billing import holds, prices
from billing.holds import HoldRequest
from billing.models import Hold, InstanceMeter, UsageRecord
from billing.rating import cost
from marketplace.lib import wakeups
from marketplace.lib.problems import Problem
from runner import credit_watch, predictions
from runner.models import Prediction
from runner.states import Status

log = structlog.get_logger(__name__)

_AHEAD_US = 600_000_000
_RENEWED_BELOW_US = 540_000_000
_LEAST_US = 60_000_000  # less than that is left: it stops, and what it drains is paid from the rest
_MICROSECOND = datetime.timedelta(microseconds=1)


def place(meter: InstanceMeter) -> Problem | None:
    """Hold for an instance whose boot begins, in the transaction that makes it; the 402 of who can't pay for it."""
    return holds.place_many([_request(meter)]).get(_subject(meter))


def beat(*, now: datetime.datetime | None = None) -> list[str]:
    """Renew what is held for instances that are online, stop those that can't be paid; the ids of the stopped."""
    now = now or timezone.now()
    online = InstanceMeter.objects.filter(ended_at=None).order_by("account_id", "pk")
    _release_ended()
    return [meter.pk for meter in online if holds.is_held(meter.account_id) and not _is_paid(meter, now)]


def _is_paid(meter: InstanceMeter, now: datetime.datetime) -> bool:
    """Renew its hold; if what is left of it is too little, stop the instance."""
    hold = Hold.objects.filter(subject=_subject(meter), state=Hold.State.OPEN).first()
    if hold is None:  # it was made when its account was not held
        if holds.place_many([_request(meter)]):
            _stop(meter)
            return False
        return True
    left = hold.amount_nanos - _due(meter, now)
    if left < _cost(meter, _RENEWED_BELOW_US):
        wanted = {hold.subject: _cost(meter, _AHEAD_US) - left}
        given = holds.extend(meter.account_id, wanted, may_overdraw=False)
        left += given[hold.subject].nanos if hold.subject in given else 0
    if left < _cost(meter, _LEAST_US):
        _stop(meter)
        return False
    return True


def _stop(meter: InstanceMeter) -> None:
    log.info("instance_unpaid", instance=meter.pk, account_id=meter.account_id)
    running = Prediction.objects.filter(instance_id=meter.pk, status=Status.PROCESSING)
    for prediction_id in running.values_list("pk", flat=True):
        predictions.end_canceled(prediction_id, error=credit_watch.NO_CREDIT, cause="no credit left")
    message = {"type": "stop_instance", "id": meter.pk, "reason": "its account has no credit left"}
    wakeups.send_after_commit(wakeups.RUNNERS, message)


def _release_ended() -> None:
    """Instances that are gone and whose time is posted need no hold."""
    ended = InstanceMeter.objects.filter(ended_at__isnull=False)
    open_holds = Hold.objects.filter(state=Hold.State.OPEN, subject__startswith="instance/")
    for subject in open_holds.values_list("subject", flat=True):
        is_over = ended.filter(pk=subject.removeprefix("instance/")).exists()
        if is_over and not UsageRecord.objects.filter(subject=subject, posting=None).exists():
            holds.release(subject)


def _due(meter: InstanceMeter, now: datetime.datetime) -> int:
    """What it has cost that is not posted yet: records, segments held back until its set-up is over, the open one."""
    records = UsageRecord.objects.filter(subject=_subject(meter), posting=None)
    unposted: int = records.aggregate(total=Sum("amount_nanos", default=0))["total"]
    held_back = sum(microseconds for _, _, microseconds in meter.held_back)
    since_us = max(0, (now - meter.segment_from) // _MICROSECOND)
    return unposted + _cost(meter, held_back + since_us)


def _cost(meter: InstanceMeter, microseconds: int) -> int:
    return cost(microseconds, prices.current_book().hardware_price(meter.hardware, meter.account_id))


def _request(meter: InstanceMeter) -> HoldRequest:
    amount = _cost(meter, _AHEAD_US)
    return HoldRequest(_subject(meter), meter.account_id, amount, deployment_name=meter.deployment_name)


def _subject(meter: InstanceMeter) -> str:
    return f"instance/{meter.pk}"
