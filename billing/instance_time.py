"""Online time of dedicated instances: started, told by signs of life, charged in segments, ended.

A sign of life says how long the runner has counted by its monotonic clock; told twice it counts once. What no sign of
life covers is not charged. Segments of the boot are held back until it is known how the set-up ends.
Source: billing.md 4.2, 4.3, 4.4, 7.7.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from billing import prices, quarantine
from billing.classes import BillingClass
from billing.models import InstanceMeter, Meter, UsageRecord
from billing.outcomes import BEAT_GAP_SECONDS, SETUP_FAILURES_CHARGED
from billing.periods import month_of
from billing.rating import cost
from billing.segments import Segment, cut

_GAP_US = BEAT_GAP_SECONDS * 1_000_000
_MOST_CARRIED_US = 2_000_000  # a runner's clock that is further ahead is wrong
_BOOTS_AGAIN_AFTER = datetime.timedelta(hours=1)  # one more try then, free: the cause may have been outside
_LOOKED_AT = 50
_TOLD_OTHERWISE = "a segment of this number was charged before, with other times"
_MICROSECOND = datetime.timedelta(microseconds=1)
End = InstanceMeter.End


@dataclass(frozen=True, slots=True)
class Beat:
    """A sign of life. total_us: counted by the runner's monotonic clock since its epoch began."""

    instance_id: str
    epoch: str
    total_us: int


@dataclass(frozen=True, slots=True)
class NewInstance:
    """A dedicated instance whose boot begins. account_id: who pays for it."""

    instance_id: str
    account_id: int
    model_name: str
    version_id: str
    hardware: str
    deployment_name: str = ""


def start(new: NewInstance, *, now: datetime.datetime | None = None) -> None:
    """Its boot begins. In the transaction that makes the instance."""
    now = now or _clock()
    InstanceMeter.objects.create(
        instance_id=new.instance_id,
        account_id=new.account_id,
        model_name=new.model_name,
        version_id=new.version_id,
        hardware=new.hardware,
        deployment_name=new.deployment_name,
        started_at=now,
        seen_at=now,
        segment_from=now,
    )


def beat_many(beats: Sequence[Beat], *, now: datetime.datetime | None = None) -> None:
    """Take signs of life; segments that are full are charged. Instances without a meter, or ended, are left out."""
    told = {beat.instance_id: beat for beat in beats}
    with transaction.atomic():
        meters = _locked(list(told))
        if meters:
            now = now or _clock()
            for meter in meters:
                _take(meter, told[meter.pk], now)
            _write(meters)


def ready(instance_id: str) -> None:
    """Its set-up succeeded: what was held back is charged."""
    with transaction.atomic():
        for meter in _locked([instance_id]):
            meter.was_ready = True
            _write([meter])


def stop(instance_id: str, end: End, beat: Beat | None = None, *, now: datetime.datetime | None = None) -> None:
    """It is confirmed gone. Told again, nothing changes. beat: the last sign of life, where there is one."""
    with transaction.atomic():
        for meter in _locked([instance_id]):
            now = now or _clock()
            if beat:
                _take(meter, beat, now)
            _close(meter)
            if not meter.was_ready and not (end == End.SETUP_FAILED and _charges_failure(meter)):
                _drop(meter, meter.held_back)
            elif end == End.BROKEN:
                _drop(meter, meter.held_back[-1:])
            meter.end, meter.ended_at = end, now
            _write([meter])


def close_silent(*, now: datetime.datetime | None = None) -> int:
    """Charge the open segments of instances that no longer give signs of life, to the last one; how many there were."""
    now = now or _clock()
    silent = InstanceMeter.objects.filter(
        ended_at=None, was_ready=True, segment_us__gt=0, seen_at__lt=now - datetime.timedelta(seconds=BEAT_GAP_SECONDS)
    )
    with transaction.atomic():
        meters = list(silent.select_for_update(skip_locked=True).order_by("pk"))
        for meter in meters:
            _close(meter)
        _write(meters)
    return len(meters)


def is_crash_looping(version_id: str, hardware: str, deployment_name: str, *, now: datetime.datetime) -> bool:
    """Did the version's set-up fail so often in a row that it is not started any more? Once an hour it is."""
    failures = _failures_in_a_row(version_id, hardware, deployment_name)
    return len(failures) >= SETUP_FAILURES_CHARGED and failures[0] > now - _BOOTS_AGAIN_AFTER


def _failures_in_a_row(version_id: str, hardware: str, deployment_name: str) -> list[datetime.datetime]:
    """When set-ups failed since the last that succeeded, newest first."""
    rows = InstanceMeter.objects.filter(version_id=version_id, hardware=hardware, deployment_name=deployment_name)
    failures: list[datetime.datetime] = []
    newest = rows.order_by("-started_at").values_list("was_ready", "end", "started_at")[:_LOOKED_AT]
    for was_ready, end, started_at in newest:
        if was_ready:
            break
        if end == End.SETUP_FAILED:
            failures.append(started_at)
    return failures


def _charges_failure(meter: InstanceMeter) -> bool:
    failures = _failures_in_a_row(meter.version_id, meter.hardware, meter.deployment_name)
    return len(failures) < SETUP_FAILURES_CHARGED


def _locked(instance_ids: Sequence[str]) -> list[InstanceMeter]:
    rows = InstanceMeter.objects.filter(pk__in=instance_ids, ended_at=None)
    return list(rows.select_for_update(no_key=True).order_by("pk"))


def _take(meter: InstanceMeter, beat: Beat, now: datetime.datetime) -> None:
    """Add what the sign of life confirms: no more than passed by the database's clock, so that nothing overlaps."""
    is_same_epoch = beat.epoch == meter.epoch
    told = beat.total_us - (meter.told_us if is_same_epoch else 0)
    if told <= 0:
        return
    passed = max(0, (now - meter.seen_at) // _MICROSECOND)
    meter.epoch, meter.told_us = beat.epoch, beat.total_us
    if told > _GAP_US or (not is_same_epoch and passed - told > _GAP_US):
        _close(meter)
    if told > _GAP_US:  # nobody knows what it did meanwhile
        meter.unbilled_us += told
        meter.seen_at, meter.segment_from = max(now, meter.seen_at), max(now, meter.seen_at)
        return
    online = min(told + meter.carried_us, passed)
    meter.carried_us = min(told + meter.carried_us - online, _MOST_CARRIED_US)
    since = meter.seen_at
    if not is_same_epoch:  # what passed before this runner looked after it is at the beginning
        meter.unbilled_us += passed - online
        since = max(meter.seen_at, now - online * _MICROSECOND)
    if not meter.segment_us:
        meter.segment_from = since
    open_segment = Segment(meter.segment_from, meter.segment_us)
    closed, now_open = cut(open_segment, since, online, _next_cut(meter))
    _hold(meter, closed)
    meter.segment_from, meter.segment_us = now_open.since, now_open.microseconds
    meter.seen_at = max(now, meter.seen_at)


def _next_cut(meter: InstanceMeter) -> Callable[[datetime.datetime], datetime.datetime]:
    starts = prices.hardware_price_starts(meter.hardware, meter.account_id, after=meter.segment_from)

    def next_cut(moment: datetime.datetime) -> datetime.datetime:
        return min([month_of(moment).ends_at, *(start for start in starts if start > moment)])

    return next_cut


def _close(meter: InstanceMeter) -> None:
    """End the open segment at the last sign of life."""
    if meter.segment_us:
        _hold(meter, [Segment(meter.segment_from, meter.segment_us, meter.seen_at)])
    meter.segment_from, meter.segment_us = meter.seen_at, 0


def _hold(meter: InstanceMeter, closed: Sequence[Segment]) -> None:
    meter.held_back += [
        [segment.since.isoformat(), (segment.until or segment.since).isoformat(), segment.microseconds]
        for segment in closed
    ]


def _drop(meter: InstanceMeter, held: Sequence[list[Any]]) -> None:
    """Charge nothing for the last of what is held back."""
    meter.unbilled_us += sum(microseconds for _, _, microseconds in held)
    meter.held_back = meter.held_back[: len(meter.held_back) - len(held)]


def _write(meters: Sequence[InstanceMeter]) -> None:
    """The meters, and what is charged now. A key that is there is not written again; told otherwise it is doubtful."""
    records = {record.key: record for meter in meters for record in _records(meter)}
    there = {record.key: record for record in UsageRecord.objects.filter(key__in=records)}
    UsageRecord.objects.bulk_create(record for key, record in records.items() if key not in there)
    quarantine.keep_many(
        [
            quarantine.doubtful(record, why=_TOLD_OTHERWISE, quantity=record.quantity)
            for key, record in records.items()
            if key in there and _what(record) != _what(there[key])
        ]
    )
    for meter in meters:
        meter.save()


def _what(record: UsageRecord) -> tuple[int, datetime.datetime]:
    return record.quantity, record.occurred_at


def _records(meter: InstanceMeter) -> list[UsageRecord]:
    """What is charged now of what was held back: all, once its set-up has succeeded or it has ended."""
    if not meter.was_ready and not meter.ended_at:
        return []
    held, meter.held_back = meter.held_back, []
    records = []
    for since, until, microseconds in held:
        record = _record(meter, Segment(_moment(since), microseconds, _moment(until)))
        records.append(record)
        meter.segments += 1
    return records


def _record(meter: InstanceMeter, segment: Segment) -> UsageRecord:
    assert segment.until is not None
    price = prices.hardware_price(meter.hardware, meter.account_id, at=segment.since)
    amount = cost(segment.microseconds, price)
    occurred_at = max(segment.since, segment.until - _MICROSECOND)  # its last moment lies in its month
    return UsageRecord(
        key=f"inst:{meter.instance_id}:{meter.segments}",
        account_id=meter.account_id,
        subject=f"instance/{meter.instance_id}",
        meter=Meter.INSTANCE_TIME,
        quantity=segment.microseconds,
        price=price,
        currency=price.currency,
        gross_nanos=amount,
        amount_nanos=amount,
        occurred_at=occurred_at,
        period=f"{occurred_at:%Y-%m}",
        billing_class=BillingClass.DEDICATED,
        model_name=meter.model_name,
        version_id=meter.version_id,
        hardware=meter.hardware,
        deployment_name=meter.deployment_name,
    )


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _clock() -> datetime.datetime:
    """The database's, which is one for all hosts."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime.datetime = cursor.fetchone()[0]
    return moment.astimezone(datetime.UTC)
