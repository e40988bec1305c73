"""Rows of instances: created before anything starts, so that what runs can always be found again.

Sync verbs; the engine calls them through `dbthreads`. How an instance comes to be is `backends`' business.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from models_catalog.models import Version
from runner import rollouts
from runner.models import Deployment, Instance, Prediction
from runner.pools import Pool
from runner.states import INSTANCE_ENDED, InstanceState, Status


@dataclass(frozen=True, slots=True)
class SetupFailed(Exception):
    """The model's own set-up failed: its words. Retrying the same would fail the same."""

    error: str
    logs: str

    def __str__(self) -> str:
        return self.error


def create(host_id: int, pool: Pool, *, most: int | None = None) -> Instance | None:
    """The row of an instance about to start. One that trains takes one training at a time.

    most: how many a deployment's pool may have on all hosts; None is returned once it has them, or is gone.
    """
    version = Version.objects.get(pk=pool.version_id)
    with transaction.atomic():
        if pool.deployment_id is not None and not _lock_deployment(pool.deployment_id):
            return None
        if most is not None and rollouts.count_live(pool) >= most:
            return None
        return _insert(host_id, pool, version)


def let_go(instance_id: str, pool: Pool, *, least: int) -> bool:
    """May this instance of a deployment stop, so that no fewer than so many remain on all hosts? If so it drains."""
    with transaction.atomic():
        if pool.deployment_id is None or not _lock_deployment(pool.deployment_id):
            return True
        if rollouts.count_live(pool) <= least:
            return False
        return bool(Instance.objects.filter(pk=instance_id).update(state=InstanceState.DRAINING))


def _lock_deployment(deployment_id: int) -> bool:
    """Hosts decide one after another how many instances it has. False if it was deleted."""
    return Deployment.objects.select_for_update(no_key=True).filter(pk=deployment_id).first() is not None


def _insert(host_id: int, pool: Pool, version: Version) -> Instance:
    return Instance.objects.create(
        host_id=host_id,
        version=version,
        hardware_id=pool.hardware,
        deployment_id=pool.deployment_id,
        is_training=pool.is_training,
        slots=1 if pool.is_training else version.max_concurrency,
    )


def save_handle(instance_id: str, handle: dict[str, Any]) -> None:
    """It was started: how to reach it and to find it again."""
    Instance.objects.filter(pk=instance_id).update(handle=handle, state=InstanceState.SETUP)


def mark_ready(instance_id: str, *, setup_logs: str) -> None:
    """It takes predictions from now on."""
    now = timezone.now()
    Instance.objects.filter(pk=instance_id).update(
        state=InstanceState.READY, ready_at=now, last_used_at=now, setup_logs=setup_logs.replace("\x00", "\ufffd")
    )


def mark_ended(instance_id: str, *, error: str = "", setup_logs: str | None = None) -> None:
    """It is gone: `stopped`, or `failed` when there is an error to tell."""
    state = InstanceState.FAILED if error else InstanceState.STOPPED
    changes: dict[str, Any] = {"state": state, "error": error.replace("\x00", "\ufffd"), "stopped_at": timezone.now()}
    if setup_logs is not None:
        changes["setup_logs"] = setup_logs.replace("\x00", "\ufffd")
    Instance.objects.filter(pk=instance_id).exclude(state__in=INSTANCE_ENDED).update(**changes)


def end_unknown(host_id: int, known: Sequence[str]) -> None:
    """End rows of a host that its runner does not know: their creation was stored, but the answer got lost."""
    young = timezone.now() - datetime.timedelta(seconds=30)
    rows = Instance.objects.filter(host_id=host_id, created_at__lt=young).exclude(state__in=INSTANCE_ENDED)
    rows.exclude(pk__in=known).update(
        state=InstanceState.FAILED, error="the runner lost it while it started", stopped_at=timezone.now()
    )


def note_states(states: dict[str, str], used: Sequence[str]) -> None:
    """What the engine has in memory, for people to see: not more often than it beats."""
    by_state: dict[str, list[str]] = {}
    for instance_id, state in states.items():
        by_state.setdefault(state, []).append(instance_id)
    for state, ids in by_state.items():
        Instance.objects.filter(pk__in=ids).exclude(state__in=[state, *INSTANCE_ENDED]).update(state=state)
    if used:
        Instance.objects.filter(pk__in=used).update(last_used_at=timezone.now())


def live_on(host_id: int) -> list[Instance]:
    """Rows of the host that say they run."""
    return list(
        Instance.objects.filter(host_id=host_id).exclude(state__in=INSTANCE_ENDED).select_related("version", "hardware")
    )


def running_predictions(instance_id: str) -> list[Prediction]:
    """Predictions that say they run on the instance."""
    rows = Prediction.objects.filter(instance_id=instance_id, status=Status.PROCESSING)
    return list(rows.select_related("version"))
