"""The life of instances: start, watch, stop. One task per instance, from its row to its end.

A set-up that fails is the model's fault: whoever waits for it is told, and the version rests before the next try. An
instance that dies is replaced when somebody needs it.  Source: cog-runtime.md 4.3, 4.12, checklist 19-21, 45-50.
"""

import asyncio
import contextlib
import math
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from django.conf import settings

from billing.instance_time import End
from marketplace.lib import dbthreads, signing
from models_catalog.models import Version
from runner import environments, files, instances, lifecycle, queueing, streams, weights
from runner.backends import instance_logs
from runner.backends.base import InstanceSpec, StartFailed
from runner.coglet import CogletError, Health, Unreachable
from runner.engine.live import LiveInstance
from runner.engine.patience import time_limit_seconds, until_stored
from runner.instances import NotPaid, SetupFailed
from runner.lifecycle import Outcome
from runner.models import Hardware, Instance, Prediction, StoredFile
from runner.placement import Size
from runner.pools import Pool
from runner.states import FaultClass, InstanceState, Status

if TYPE_CHECKING:
    from runner.engine.loop import Engine

log = structlog.get_logger(__name__)

_POLL_SECONDS = (0.02, 0.02, 0.05, 0.05, 0.1, 0.1, 0.2, 0.3, 0.5)
_WATCH_SECONDS = 2.0
_REST_SECONDS = (0.0, 5.0, 20.0, 60.0, 300.0)  # after so many failed starts in a row of one version
_CRASH_LOOP_REST_SECONDS = 5.0  # then who has come meanwhile is told too
_UNPAID_REST_SECONDS = 5.0  # then it is looked whether money has come
_HARDWARE_CACHE_SECONDS = 30.0


class InstanceLife:
    """Starts, watches and stops the engine's instances."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._failures: dict[Pool, int] = {}
        self._rest_until: dict[Pool, float] = {}
        self._sizes: dict[str, Size] = {}

    @property
    def callbacks_socket(self) -> Path:
        """Where sandboxed instances reach the runner; the same after a restart."""
        return settings.INSTANCES_DIR / "callbacks" / "runner.sock"

    async def load_hardware(self) -> None:
        """Read the sizes of all SKUs."""
        self._sizes = await dbthreads.run(_read_sizes)

    def size_of(self, hardware: str) -> Size | None:
        """What one instance takes; None for an unknown SKU."""
        return self._sizes.get(hardware)

    def may_start(self, pool: Pool) -> bool:
        """Is the pool not resting after failures?"""
        return time.monotonic() >= self._rest_until.get(pool, 0.0)

    def start(self, pool: Pool, size: Size, *, most: int | None = None) -> None:
        """Begin a new instance; its row comes first. most: see `instances.create`."""
        self._engine.spawn(self._start(pool, size, most))
        self._rest_until[pool] = time.monotonic() + 1.0  # until it is among the engine's instances

    def stop(self, instance: LiveInstance, reason: str) -> None:
        """Drain and end an instance; what it runs is finished first."""
        if instance.state in (InstanceState.DRAINING, *_ENDED) or instance.gone.is_set():
            return
        log.info("instance_stopping", instance=instance.id, reason=reason)
        instance.state = InstanceState.DRAINING
        self._engine.spawn(self._drain(instance))

    def stop_all_of(self, version_ids: set[str]) -> None:
        """Stop every instance of these versions."""
        for instance in list(self._engine.instances.values()):
            if instance.pool.version_id in version_ids:
                self.stop(instance, "the model was taken down")

    def adopt(self, instance: LiveInstance) -> None:
        """Look after an instance that an earlier runner started and that is up."""
        self._engine.instances[instance.id] = instance
        self._engine.callbacks.admit(instance.callback_token)
        instance.task = self._engine.spawn(self._look_after(instance))

    # --- Start ----------------------------------------------------------------------------------------------------

    async def _start(self, pool: Pool, size: Size, most: int | None) -> None:
        try:
            row = await dbthreads.run(instances.create, self._engine.host.pk, pool, most=most)
        except SetupFailed as error:  # too often: whoever asks is told, and nothing is started
            self._rest_until[pool] = time.monotonic() + _CRASH_LOOP_REST_SECONDS
            await self._tell_failure(pool, error)
            return
        except NotPaid:
            self._rest_until[pool] = time.monotonic() + _UNPAID_REST_SECONDS
            return
        if row is None:
            return
        instance = LiveInstance(row.pk, pool, size, row.slots, callback_token=callback_token(row.pk))
        self._engine.instances[row.pk] = instance
        self._engine.callbacks.admit(instance.callback_token)
        self._rest_until.pop(pool, None)
        try:
            await self._boot(instance)
        except SetupFailed as error:
            await self._failed_setup(instance, error)
            return
        except (StartFailed, environments.EnvironmentUnavailable, weights.WeightsUnavailable, OSError) as error:
            log.error("instance_start_failed", instance=instance.id, version=pool.version_id, error=str(error))
            await self._ended(instance, End.NEVER_STARTED, error=str(error))
            self._rest(pool)
            await self._engine.fleet.note_failure(pool, str(error))
            return
        await self._look_after(instance)

    async def _boot(self, instance: LiveInstance) -> None:
        started = time.monotonic()
        pool = instance.pool
        version, stored = await until_stored(lambda: dbthreads.run(_read_version, pool.version_id))
        environment = await asyncio.to_thread(environments.ensure_environment, version, to_train=pool.is_training)
        weights_file = await asyncio.to_thread(weights.ensure_weights, version, stored)
        spec = InstanceSpec(
            instance_id=instance.id,
            version_id=version.pk,
            environment_dir=environment.venv_dir,
            source_dir=environment.source_dir,
            reference=environment.reference,
            nonce=secrets.token_hex(16),
            mode="train" if pool.is_training else "predict",
            max_concurrency=instance.slots,
            env=environment.env,
            setup_timeout_seconds=settings.SETUP_TIMEOUT_SECONDS,
            memory_bytes=instance.size.memory_bytes,
            callbacks_socket=self.callbacks_socket,
            weights=weights_file,
        )
        instance.state = InstanceState.SETUP
        handle = await self._engine.backend.start(spec)
        instance.connect(handle)
        await until_stored(lambda: dbthreads.run(instances.save_handle, instance.id, handle.to_dict()))
        health = await self._until_ready(instance, started)
        instance.setup_seconds = time.monotonic() - started
        instance.idle_since = time.monotonic()
        await until_stored(lambda: dbthreads.run(instances.mark_ready, instance.id, setup_logs=health.setup_logs))
        instance.state = InstanceState.READY
        self._failures.pop(instance.pool, None)
        await self._engine.fleet.note_success(instance.pool)
        log.info(
            "instance_ready",
            instance=instance.id,
            version=instance.pool.version_id,
            seconds=round(instance.setup_seconds, 2),
        )
        self._engine.wake()

    async def _until_ready(self, instance: LiveInstance, started: float) -> Health:
        """Raises SetupFailed."""
        assert instance.coglet is not None and instance.handle is not None
        polls = iter(_POLL_SECONDS)
        while True:
            with contextlib.suppress(Unreachable):
                health = await instance.coglet.health()
                if health.is_set_up:
                    return health
                if health.status == "SETUP_FAILED":
                    raise await self._setup_failure(instance, health.setup_logs)
            if not await self._engine.backend.is_alive(instance.handle):
                raise await self._setup_failure(instance, "the model's process ended during its set-up")
            if time.monotonic() - started > settings.SETUP_TIMEOUT_SECONDS + 30:
                raise await self._setup_failure(instance, "the set-up took too long")
            await asyncio.sleep(next(polls, 0.5))

    async def _setup_failure(self, instance: LiveInstance, reason: str) -> SetupFailed:
        assert instance.handle is not None
        written = instance_logs.plain(await self._engine.backend.read_log(instance.handle))
        return SetupFailed(reason.strip(), written)

    async def _failed_setup(self, instance: LiveInstance, error: SetupFailed) -> None:
        """The model can't be set up: those who wait for it are told, and not charged."""
        log.warning("setup_failed", instance=instance.id, version=instance.pool.version_id, error=error.error)
        await self._ended(instance, End.SETUP_FAILED, error=error.error, setup_logs=error.logs)
        self._rest(instance.pool)
        await self._tell_failure(instance.pool, error)

    async def _tell_failure(self, pool: Pool, error: SetupFailed) -> None:
        await self._engine.fleet.note_failure(pool, error.error)
        if pool.deployment_id is not None and self._engine.fleet.has_up(pool):
            return  # others of the pool serve who waits
        for prediction in await dbthreads.run(_fail_waiting, pool, error):
            await streams.publish(prediction.pk, [streams.last_event(prediction)])

    def _rest(self, pool: Pool) -> None:
        failures = self._failures[pool] = self._failures.get(pool, 0) + 1
        self._rest_until[pool] = time.monotonic() + _REST_SECONDS[min(failures, len(_REST_SECONDS) - 1)]

    # --- Watch, stop -------------------------------------------------------------------------------------------------

    async def _look_after(self, instance: LiveInstance) -> None:
        """Until it is gone, by itself or by us."""
        unreachable = 0
        while not instance.gone.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WATCH_SECONDS):
                    await instance.gone.wait()
                break
            assert instance.coglet is not None and instance.handle is not None
            if not await self._engine.backend.is_alive(instance.handle):
                instance.mark_gone("its process ended")
                break
            try:
                health = await instance.coglet.health()
            except CogletError:
                unreachable += 1  # one slow answer is no sign of death
                if unreachable >= 3:
                    instance.mark_gone("it no longer answers")
                continue
            unreachable = 0
            if health.has_dead_worker:
                instance.mark_gone("the model's process died")
        await self._end(instance)

    async def _drain(self, instance: LiveInstance) -> None:
        until = time.monotonic() + (time_limit_seconds(instance.pool) or math.inf)
        while instance.pumps and time.monotonic() < until:
            await asyncio.sleep(0.1)
        instance.mark_gone("")

    async def _end(self, instance: LiveInstance) -> None:
        if instance.gone_reason:
            log.warning(
                "instance_gone", instance=instance.id, version=instance.pool.version_id, reason=instance.gone_reason
            )
        end, grace_seconds = (End.BROKEN, 0.0) if instance.gone_reason else (End.STOPPED, 2.0)
        await self._ended(instance, end, error=instance.gone_reason, grace_seconds=grace_seconds)

    async def _ended(
        self, instance: LiveInstance, end: End, *, error: str, setup_logs: str | None = None, grace_seconds: float = 0.0
    ) -> None:
        instance.mark_gone(error)
        # Stop before the row says so: what a row doesn't own, a takeover would have to hunt for.
        if instance.handle:
            await self._engine.backend.stop(instance.handle, grace_seconds=grace_seconds)
        beat = instance.beat
        await until_stored(
            lambda: dbthreads.run(instances.mark_ended, instance.id, end, beat=beat, error=error, setup_logs=setup_logs)
        )
        if instance.coglet:
            await instance.coglet.close()
        self._engine.instances.pop(instance.id, None)
        self._engine.callbacks.dismiss(instance.callback_token)
        self._engine.wake()


_ENDED = (InstanceState.STOPPED, InstanceState.FAILED)


def callback_token(instance_id: str) -> str:
    """What an instance shows when it calls back. Derived, so that a new runner knows it too."""
    return signing.sign_for_path("instance callbacks", instance_id)


def _read_version(version_id: str) -> tuple[Version, StoredFile | None]:
    """A version with its base, and the file of its weights where we have it."""
    version = Version.objects.select_related("base").get(pk=version_id)
    return version, files.find_output(version.weights) if version.weights else None


def _read_sizes() -> dict[str, Size]:
    return {h.sku: Size(h.cpu_millis, h.memory_bytes, h.gpus) for h in Hardware.objects.all()}


def _fail_waiting(pool: Pool, error: SetupFailed) -> list[Prediction]:
    """End what waits for a pool whose set-up failed."""
    waiting = queueing.waiting_in(pool).filter(claim="")
    ended = lifecycle.end_many(
        [
            Outcome(
                prediction_id,
                None,
                Status.FAILED,
                error=f"The model's set-up failed: {error.error}",
                logs=error.logs[-100_000:],
                fault_class=FaultClass.MODEL_ERROR,
                only_from=Status.STARTING,
            )
            for prediction_id in waiting.values_list("pk", flat=True)
        ]
    )
    return [prediction for prediction in ended if prediction]


def live_from_row(row: Instance) -> LiveInstance:
    """The in-memory side of a row, for takeover."""
    size = Size(row.hardware.cpu_millis, row.hardware.memory_bytes, row.hardware.gpus)
    return LiveInstance(row.pk, row.pool, size, row.slots, callback_token=callback_token(row.pk))
