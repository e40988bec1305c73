"""Read what `explanations.explain` needs to know: the log, the usage record, and for what waits also the hosts."""

from collections import defaultdict

from billing.classes import BillingClass
from billing.models import Meter, UsageRecord
from runner.explanations import Charge, Facts, HostFacts, Move
from runner.models import Hardware, Host, Instance, LoggedEvent, Prediction
from runner.placement import Size
from runner.queueing import WaitingReason, waiting_reason
from runner.states import INSTANCE_ENDED, InstanceState, Status
from runner.waiting import place_of

_NOTHING = Size(0, 0, 0)


def facts_of(prediction: Prediction) -> Facts:
    """Now. Three queries for what has ended, some more for what waits."""
    waiting = waiting_reason(prediction)
    if waiting:  # its place in the fair order, as `queue` of the prediction says
        waiting = WaitingReason(waiting.code, place_of(prediction) - 1)
    hardware = Hardware.objects.filter(pk=prediction.hardware).first() if waiting else None
    return Facts(
        status=str(prediction.status),
        fault_class=str(prediction.fault_class),
        created_at=prediction.created_at,
        started_at=prediction.started_at,
        completed_at=prediction.completed_at,
        hardware=prediction.hardware,
        moves=_moves(prediction),
        waiting=waiting,
        hosts=_hosts() if hardware else (),
        need=_size(hardware) if hardware else None,
        charge=_charge(prediction),
    )


def _moves(prediction: Prediction) -> list[Move]:
    events = LoggedEvent.objects.filter(
        subject=f"{prediction.kind}/{prediction.pk}", account_id=prediction.account_id
    ).order_by("id")
    return [Move(event.created_at, event.type.partition(".")[2], event.data) for event in events]


def _charge(prediction: Prediction) -> Charge | None:
    if prediction.status in (Status.STARTING, Status.PROCESSING):
        return None
    record = (
        UsageRecord.objects.filter(subject=f"prediction/{prediction.pk}", meter=Meter.COMPUTE_TIME)
        .select_related("price")
        .first()
    )
    if record is None:
        return None
    price = record.price
    return Charge(
        record.quantity,
        price.rate_nanos,
        price.per_units,
        record.amount_nanos,
        record.currency,
        is_dedicated=record.billing_class == BillingClass.DEDICATED,
    )


def _hosts() -> list[HostFacts]:
    used: dict[int, Size] = defaultdict(lambda: _NOTHING)
    idle: dict[int, Size] = defaultdict(lambda: _NOTHING)
    live = Instance.objects.exclude(state__in=INSTANCE_ENDED).select_related("hardware")
    for instance in live:
        used[instance.host_id] = used[instance.host_id].plus(_size(instance.hardware))
        if instance.state == InstanceState.READY:  # up, and nothing runs on it
            idle[instance.host_id] = idle[instance.host_id].plus(_size(instance.hardware))
    return [
        HostFacts(
            host.name,
            str(host.status),
            Size(host.cpu_millis, host.memory_bytes, host.gpus),
            used[host.pk],
            idle[host.pk],
        )
        for host in Host.objects.order_by("name")
    ]


def _size(hardware: Hardware) -> Size:
    return Size(hardware.cpu_millis, hardware.memory_bytes, hardware.gpus)
