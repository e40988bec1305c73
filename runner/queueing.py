"""Whom next: the order of waiting predictions, fair between accounts, and why one waits.

`fair_order` is pure; `read_queue` and `waiting_reason` read the facts.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from runner import instances
from runner.models import Hardware, Host, Prediction
from runner.pools import PRIVATE, Pool, is_private
from runner.states import INSTANCE_ENDED, InstanceState, Status

_CLASS = ("billing_class", "deployment_name")
_QUEUE_WINDOW = 1000  # waiting predictions that one decision looks at
_COLUMNS = ("pk", "account_id", "created_at", "version_id", "hardware", "deployment_id", "kind", *_CLASS)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One prediction that nobody has claimed."""

    prediction_id: str
    account_id: int
    created_at: datetime.datetime
    pool: Pool


@dataclass(frozen=True, slots=True)
class WaitingReason:
    """Why a prediction waits. code: ahead_of_you, booting, starting_soon, no_such_hardware, no_capacity."""

    code: str
    ahead: int = 0

    @property
    def sentence(self) -> str:
        """For people.  Source: product-ux.md 0.3."""
        match self.code:
            case "ahead_of_you":
                return f"{self.ahead} ahead of you"
            case "booting":
                return "the model is being set up"
            case "no_such_hardware":
                return "no host has this hardware"
            case "no_capacity":
                return "all hosts are full; waiting for one to become free"
        return "starting"


def fair_order(waiting: Iterable[Waiting], running_of: Mapping[int, int]) -> list[Waiting]:
    """Round robin between accounts, oldest first within one; accounts with much running come later.

    running_of: how many predictions each account has running.
    """
    turns: Counter[int] = Counter(running_of)
    ranked = []
    for item in sorted(waiting, key=lambda w: w.created_at):
        ranked.append((turns[item.account_id], item.created_at, item))
        turns[item.account_id] += 1
    ranked.sort(key=lambda entry: entry[:2])
    return [item for _, _, item in ranked]


def read_queue() -> list[Waiting]:
    """Predictions that wait for an instance: all, or of a long queue those who come first in their account and pool.

    Else a few large batches would hide from us that somebody else waits.
    """
    rows = Prediction.objects.filter(status=Status.STARTING, claim="").order_by("created_at")
    found = list(rows.values_list(*_COLUMNS)[:_QUEUE_WINDOW])
    if len(found) == _QUEUE_WINDOW:
        of_one = [
            F(name) for name in ("account_id", "version_id", "hardware", "deployment_id", "kind", "billing_class")
        ]
        turn = Window(RowNumber(), partition_by=of_one, order_by="created_at")
        found = list(rows.alias(turn=turn).order_by("turn", "created_at").values_list(*_COLUMNS)[:_QUEUE_WINDOW])
    return [
        Waiting(
            pk,
            account,
            created_at,
            Pool(
                version,
                hardware,
                deployment,
                kind == Prediction.Kind.TRAINING,
                is_private(billing_class, deployment_name),
            ),
        )
        for pk, account, created_at, version, hardware, deployment, kind, billing_class, deployment_name in found
    ]


def waiting_in(pool: Pool) -> QuerySet[Prediction]:
    """The predictions that wait for an instance of the pool."""
    kind = Prediction.Kind.TRAINING if pool.is_training else Prediction.Kind.PREDICTION
    rows = Prediction.objects.filter(
        status=Status.STARTING,
        version_id=pool.version_id,
        hardware=pool.hardware,
        deployment=pool.deployment_id,
        kind=kind,
    )
    return rows.filter(PRIVATE if pool.is_private else ~PRIVATE)


def waiting_reason(prediction: Prediction) -> WaitingReason | None:
    """Why it waits; None once it does not."""
    if prediction.status != Status.STARTING:
        return None
    pool = prediction.pool
    ahead = waiting_in(pool).filter(created_at__lt=prediction.created_at).count()
    states = set(instances.of_pool(pool).exclude(state__in=INSTANCE_ENDED).values_list("state", flat=True))
    if states & {InstanceState.READY, InstanceState.BUSY}:
        return WaitingReason("ahead_of_you", ahead) if ahead else WaitingReason("starting_soon")
    if states & {InstanceState.STARTING, InstanceState.SETUP}:
        return WaitingReason("booting", ahead)
    hardware = Hardware.objects.filter(pk=prediction.hardware).first()
    hosts = Host.objects.exclude(status=Host.Status.LOST)
    if hardware and not hosts.filter(gpus__gte=hardware.gpus, memory_bytes__gte=hardware.memory_bytes).exists():
        return WaitingReason("no_such_hardware", ahead)
    age = timezone.now() - prediction.created_at
    return WaitingReason("no_capacity" if age > datetime.timedelta(seconds=5) else "starting_soon", ahead)


def oldest_wait_seconds(waiting: Iterable[Waiting]) -> float:
    """How long the oldest of them waits, 0 for none."""
    oldest = min((item.created_at for item in waiting), default=None)
    return 0.0 if oldest is None else (timezone.now() - oldest).total_seconds()
