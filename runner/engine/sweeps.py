"""What no wake-up may be relied on for: heartbeats, deadlines, cancels that got lost, predictions nobody drives.

Every sweep is harmless when there is nothing to do, and safe to run on every host at once.
"""

import asyncio
import datetime
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from billing import instance_time
from marketplace.lib import dbthreads
from runner import deletion, hosts, instances, lifecycle, streams
from runner.lifecycle import Outcome
from runner.models import Prediction
from runner.states import FaultClass, Status

if TYPE_CHECKING:
    from runner.engine.loop import Engine

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 2.0
_TIDY_EVERY_SECONDS = 600.0
_AT_ONCE = 500  # rows of one kind that one round settles
_NOT_IN_TIME = "Prediction did not start in time (E6716)"
_YOUNG = datetime.timedelta(seconds=5)  # between a claim's commit and the engine's knowing of it


class Sweeps:
    """The engine's periodic duties."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._tidied_at = time.monotonic()

    async def run(self) -> None:
        """For ever; raises what the database raises."""
        while True:
            await self.once()
            if time.monotonic() - self._tidied_at > _TIDY_EVERY_SECONDS:
                await self.tidy()
            await asyncio.sleep(_EVERY_SECONDS)

    async def once(self) -> None:
        """One round."""
        engine = self._engine
        engine.takes_new_instances = await dbthreads.run(hosts.note_alive, engine.host.pk)
        await engine.life.load_hardware()
        states = {i.id: str(i.state) for i in engine.instances.values() if i.handle}
        used = [i.id for i in engine.instances.values() if i.pumps]
        await dbthreads.run(instances.note_states, states, used)
        beats = [i.beat for i in engine.instances.values() if i.pool.is_dedicated and not i.gone.is_set()]
        await dbthreads.run(instance_time.beat_many, beats)
        await dbthreads.run(instance_time.close_silent)
        await dbthreads.run(instances.end_unknown, engine.host.pk, list(engine.instances))
        driven = {pk for pk, pump in engine.pumps.items() if not pump.ended}
        for prediction_id in await dbthreads.run(ended_by_others, driven):
            if pump := engine.pumps.get(prediction_id):
                pump.abandon()
        ended = await dbthreads.run(end_overdue)
        ended += await dbthreads.run(settle_undriven, engine.host.pk, set(engine.pumps))
        for prediction in ended:
            await streams.publish(prediction.pk, [streams.last_event(prediction)])

    async def tidy(self) -> None:
        """Remove what this host keeps of deleted versions."""
        self._tidied_at = time.monotonic()
        for folder in await dbthreads.run(deletion.unneeded_folders):
            log.info("folder_removed", path=str(folder))
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def ended_by_others(prediction_ids: set[str]) -> list[str]:
    """Which of the driven predictions are no longer `processing`: their cancel's wake-up was lost."""
    running = Prediction.objects.filter(pk__in=prediction_ids, status=Status.PROCESSING)
    return list(prediction_ids - set(running.values_list("pk", flat=True)))


def end_overdue() -> list[Prediction]:
    """End predictions that waited too long, and those of models that were taken down.

    Past their deadline they are `aborted`, past the queue's limit `failed`.  Source: replicate-api.md 3.4.
    """
    now = timezone.now()
    queue_limit = now - datetime.timedelta(seconds=settings.QUEUE_TIMEOUT_SECONDS)
    waiting = Prediction.objects.filter(status=Status.STARTING)
    causes: list[tuple[QuerySet[Prediction], Status, str | None, FaultClass, str]] = [
        (waiting.filter(deadline__lte=now), Status.ABORTED, None, FaultClass.TIMEOUT, "its deadline passed"),
        # Accepted by a web process that had not yet heard of it.
        (
            waiting.exclude(model__hidden_at=None, version__base__model__hidden_at=None),
            Status.CANCELED,
            "The model was taken down",
            FaultClass.POLICY,
            "the model was taken down",
        ),
        (
            waiting.filter(created_at__lte=queue_limit),
            Status.FAILED,
            _NOT_IN_TIME,
            FaultClass.PLATFORM,
            "it waited longer than the queue's limit",
        ),
    ]
    outcomes: dict[str, Outcome] = {}
    for rows, status, error, fault_class, cause in causes:
        for pk in rows.values_list("pk", flat=True)[:_AT_ONCE]:
            outcome = Outcome(pk, None, status, error=error, fault_class=fault_class, keep_output=True, cause=cause)
            outcomes.setdefault(pk, replace(outcome, only_from=Status.STARTING))
    return [prediction for prediction in lifecycle.end_many(list(outcomes.values())) if prediction] if outcomes else []


def settle_undriven(host_id: int, driven: set[str]) -> list[Prediction]:
    """Requeue (or fail) what says it runs here but nobody drives, and what runs on lost hosts."""
    lost = hosts.mark_lost_hosts()
    here = Q(instance__host_id=host_id, started_at__lt=timezone.now() - _YOUNG) & ~Q(pk__in=driven)
    elsewhere = Q(instance__host_id__in=[host for host in lost if host != host_id])
    nowhere = Q(instance=None)
    ended = []
    for row in Prediction.objects.filter(here | elsewhere | nowhere, status=Status.PROCESSING)[:_AT_ONCE]:
        log.warning("undriven_prediction", prediction=row.pk, tries=row.tries)
        if row.is_streamed and row.tries:  # its items may have been seen before they reached the row
            fault = Outcome(
                row.pk,
                row.claim,
                Status.FAILED,
                error=lifecycle.loss_in_words(""),
                predict_us=0,
                fault_class=FaultClass.HOST,
                keep_output=True,
            )
            ended += [p for p in lifecycle.end_many([fault]) if p]
        elif prediction := lifecycle.requeue(row.pk, row.claim, logs=row.logs):
            ended.append(prediction)
    return ended
