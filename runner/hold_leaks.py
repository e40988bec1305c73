"""Holds that outlived what they were for. There should be none: each one found is logged as an error.

Source: billing.md 8.1, "Ends".
"""

import datetime

import structlog
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import StrIndex, Substr
from django.utils import timezone

from billing import holds
from billing.counters import WORK
from billing.models import Hold, InstanceMeter, UsageRecord
from runner.models import Prediction
from runner.states import TERMINAL

log = structlog.get_logger(__name__)

_YOUNG = datetime.timedelta(minutes=15)
_AT_ONCE = 500


def sweep(*, now: datetime.datetime | None = None) -> int:
    """Release holds of runs and instances that have ended, or are gone, and whose usage is posted; how many."""
    now = now or timezone.now()
    old = Hold.objects.filter(WORK, state=Hold.State.OPEN, created_at__lt=now - _YOUNG)
    named = old.annotate(named=Substr("subject", StrIndex("subject", Value("/")) + 1))
    alive = Prediction.objects.filter(pk=OuterRef("named")).exclude(status__in=TERMINAL)
    online = InstanceMeter.objects.filter(pk=OuterRef("named"), ended_at=None)
    unposted = UsageRecord.objects.filter(subject=OuterRef("subject"), posting=None)
    leaked = named.exclude(Q(Exists(alive)) | Q(Exists(online)) | Q(Exists(unposted)))
    count = 0
    for subject, amount in leaked.values_list("subject", "amount_nanos")[:_AT_ONCE]:
        if holds.release(subject):
            log.error("hold_leaked", subject=subject, amount_nanos=amount)
            count += 1
    return count
