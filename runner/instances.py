"""Rows of instances: created before anything starts, so that what runs can always be found again.

Sync verbs; the engine calls them through `dbthreads`. How an instance comes to be is `backends`' business.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from billing import instance_time
from billing.classes import class_of_instance
from billing.instance_time import Beat, End, NewInstance
from billing.models import InstanceMeter
from billing.outcomes import SETUP_FAILURES_CHARGED
from models_catalog.models import Version
from runner import instance_holds, rollouts
from runner.models import Deployment, Instance, Prediction
from runner.pools import PRIVATE, Pool
from runner.states import INSTANCE_ENDED, InstanceState, Status

_CRASH_LOOP = (
    f"it failed {SETUP_FAILURES_CHARGED} times in a row (crash_loop): it is tried again in an hour, "
    "or publish a version that can be set up"
)


@dataclass(frozen=True, slots=True)
class SetupFailed(Exception):
    """The model's own set-up failed: its words. Retrying the same would fail the same."""

    error: str
    logs: str

    def __str__(self) -> str:
        return self.error


class NotPaid(Exception):
    """Who would pay for the instance's time has no credit, or a limit in the way: try again later."""


def create(host_id: int, pool: Pool, *, most: int | None = None) -> Instance | None:
    """The row of an instance about to start, with its meter if somebody pays for its time.

    One that trains takes one training at a time. most: how many a deployment's pool may have on all hosts; None is
    returned once it has them, or is gone. Raises SetupFailed for a version that failed too often, NotPaid.
    """
    version = Version.objects.select_related("model__account").get(pk=pool.version_id)
    with transaction.atomic():
        deployment = _lock_deployment(pool.deployment_id)
        if pool.deployment_id is not None and deployment is None:
            return None
        if most is not None and rollouts.count_live(pool) >= most:
            return None
        _refuse_crash_loop(pool, deployment)
        instance = _insert(host_id, pool, version, deployment)
        if pool.is_dedicated:
            instance_time.start(_to_be_paid(instance, version, deployment))
            if instance_holds.place(InstanceMeter.objects.get(pk=instance.pk)):
                raise NotPaid
        return instance


def let_go(instance_id: str, pool: Pool, *, least: int) -> bool:
    """May this instance of a deployment stop, so that no fewer than so many remain on all hosts? If so it drains."""
    with transaction.atomic():
        if _lock_deployment(pool.deployment_id) is None:
            return True
        if rollouts.count_live(pool) <= least:
            return False
        return bool(Instance.objects.filter(pk=instance_id).update(state=InstanceState.DRAINING))


def _lock_deployment(deployment_id: int | None) -> Deployment | None:
    """Hosts decide one after another how many instances it has. None if it was deleted, or there is none."""
    rows = Deployment.objects.select_for_update(of=("self",), no_key=True).select_related("account")
    return None if deployment_id is None else rows.filter(pk=deployment_id).first()


def _refuse_crash_loop(pool: Pool, deployment: Deployment | None) -> None:
    name = deployment.full_name if deployment else ""
    if pool.is_dedicated and instance_time.is_crash_looping(pool.version_id, pool.hardware, name, now=timezone.now()):
        raise SetupFailed(_CRASH_LOOP, "")


def _to_be_paid(instance: Instance, version: Version, deployment: Deployment | None) -> NewInstance:
    """By the deployment's owner, or by that of the version that nobody else may run."""
    return NewInstance(
        instance_id=instance.pk,
        account_id=deployment.account_id if deployment else version.model.account_id,
        model_name=version.model.full_name,
        version_id=version.pk,
        hardware=instance.hardware_id,
        deployment_name=instance.deployment_name,
    )


def _insert(host_id: int, pool: Pool, version: Version, deployment: Deployment | None) -> Instance:
    return Instance.objects.create(
        host_id=host_id,
        version=version,
        hardware_id=pool.hardware,
        deployment_id=pool.deployment_id,
        deployment_name=deployment.full_name if deployment else "",
        is_training=pool.is_training,
        billing_class=class_of_instance(
            is_training=pool.is_training, is_private=pool.is_private, has_deployment=deployment is not None
        ),
        slots=1 if pool.is_training else version.max_concurrency,
    )


def save_handle(instance_id: str, handle: dict[str, Any]) -> None:
    """It was started: how to reach it and to find it again."""
    Instance.objects.filter(pk=instance_id).update(handle=handle, state=InstanceState.SETUP)


def mark_ready(instance_id: str, *, setup_logs: str) -> None:
    """It takes predictions from now on."""
    now = timezone.now()
    with transaction.atomic():
        Instance.objects.filter(pk=instance_id).update(
            state=InstanceState.READY, ready_at=now, last_used_at=now, setup_logs=setup_logs.replace("\x00", "\ufffd")
        )
        instance_time.ready(instance_id)


def mark_ended(
    instance_id: str, end: End, *, beat: Beat | None = None, error: str = "", setup_logs: str | None = None
) -> None:
    """It is gone: `stopped`, or `failed` when there is an error to tell.

    beat: its last sign of life, where one is left. Told again, nothing changes.
    """
    state = InstanceState.FAILED if error else InstanceState.STOPPED
    changes: dict[str, Any] = {"state": state, "error": error.replace("\x00", "\ufffd"), "stopped_at": timezone.now()}
    if setup_logs is not None:
        changes["setup_logs"] = setup_logs.replace("\x00", "\ufffd")
    with transaction.atomic():
        Instance.objects.filter(pk=instance_id).exclude(state__in=INSTANCE_ENDED).update(**changes)
        instance_time.stop(instance_id, end, beat)


def end_unknown(host_id: int, known: Sequence[str]) -> None:
    """End rows of a host that its runner does not know: their creation was stored, but the answer got lost."""
    young = timezone.now() - datetime.timedelta(seconds=30)
    rows = Instance.objects.filter(host_id=host_id, created_at__lt=young).exclude(state__in=INSTANCE_ENDED)
    for instance_id in rows.exclude(pk__in=known).values_list("pk", flat=True):
        mark_ended(instance_id, End.LOST, error="the runner lost it while it started")


def note_states(states: dict[str, str], used: Sequence[str]) -> None:
    """What the engine has in memory, for people to see: not more often than it beats."""
    by_state: dict[str, list[str]] = {}
    for instance_id, state in states.items():
        by_state.setdefault(state, []).append(instance_id)
    for state, ids in by_state.items():
        Instance.objects.filter(pk__in=ids).exclude(state__in=[state, *INSTANCE_ENDED]).update(state=state)
    if used:
        Instance.objects.filter(pk__in=used).update(last_used_at=timezone.now())


def of_pool(pool: Pool) -> QuerySet[Instance]:
    """All that a pool has or had."""
    rows = Instance.objects.filter(
        version_id=pool.version_id,
        hardware_id=pool.hardware,
        deployment=pool.deployment_id,
        is_training=pool.is_training,
    )
    return rows.filter(PRIVATE if pool.is_private else ~PRIVATE)


def live_on(host_id: int) -> list[Instance]:
    """Rows of the host that say they run."""
    return list(
        Instance.objects.filter(host_id=host_id).exclude(state__in=INSTANCE_ENDED).select_related("version", "hardware")
    )


def running_predictions(instance_id: str) -> list[Prediction]:
    """Predictions that say they run on the instance."""
    rows = Prediction.objects.filter(instance_id=instance_id, status=Status.PROCESSING)
    return list(rows.select_related("version"))
