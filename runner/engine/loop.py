"""The runner process: looks at the queue, gives predictions to instances, starts and stops instances.

One decision at a time (`_decide`), woken by messages, by what ends, and every second in case a wake-up was lost. What
it holds in memory can be lost at any moment: `takeover` finds it again, `sweeps` settles what nobody holds.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError

from marketplace.lib import dbthreads, tasks, wakeups
from runner import files, hosts, lifecycle, queueing, streams
from runner.backends.base import Backend
from runner.callbacks import CallbackListener
from runner.engine.fleet import Fleet
from runner.engine.instance_life import InstanceLife
from runner.engine.live import LiveInstance
from runner.engine.pump import Pump
from runner.engine.scaler import Scaler
from runner.engine.sweeps import Sweeps
from runner.engine.takeover import take_over
from runner.events import Position, done
from runner.groupcommit import GroupCommit
from runner.lifecycle import Claim, Outcome
from runner.models import Host, Prediction
from runner.placement import Size
from runner.pools import Pool
from runner.queueing import Waiting

log = structlog.get_logger(__name__)

_TICK_SECONDS = 1.0
_RETRY_SECONDS = 0.5


class Engine:
    """Everything one runner looks after on its host."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.capacity: Size = hosts.capacity()
        self.host: Host
        self.takes_new_instances = True
        self.instances: dict[str, LiveInstance] = {}
        self.pumps: dict[str, Pump] = {}
        self.callbacks: CallbackListener
        self.ends: GroupCommit[Outcome, Prediction | None] = GroupCommit(lifecycle.end_many)
        self.takeover_patience_seconds = 5.0
        self.life = InstanceLife(self)
        self.fleet = Fleet(self)
        self.scaler = Scaler(self)
        self._sweeps = Sweeps(self)
        self._wake = asyncio.Event()
        self._may_wait = True  # something waits for room, or may since the last look at the queue began
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    # --- The process ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until `stop`. Instances live on; the next runner takes them over."""
        port_file = settings.VAR_DIR / f"runner-{settings.HOST_NAME}.port"
        self.callbacks = CallbackListener(
            port=int(port_file.read_text()) if port_file.exists() else 0,
            socket_path=self.life.callbacks_socket,
        )
        await self.callbacks.open()
        port_file.write_text(str(self.callbacks.port))
        isolation = self.backend.isolation
        notes = "Models run in a sandbox." if isolation.sandboxed else f"Models run unsandboxed: {isolation.reason}"
        self.host, away_seconds = await dbthreads.run(
            hosts.register, settings.HOST_NAME, backend=self.backend.name, size=self.capacity, notes=notes
        )
        self.takeover_patience_seconds = min(110.0, 5.0 + 2 * away_seconds)
        await take_over(self)
        self.callbacks.adoption_done()
        log.info("runner_ready", host=self.host.name, instances=len(self.instances), predictions=len(self.pumps))
        loops = [
            self.spawn(self._forever(self._listen)),
            self.spawn(self._forever(self._decide_when_woken)),
            self.spawn(self._forever(self._sweeps.run)),
            self.spawn(self._forever(self.fleet.run)),
        ]
        await self._stopping.wait()
        await tasks.end([*loops, *self._tasks])
        await self.callbacks.close()
        for instance in self.instances.values():
            if instance.coglet:
                await instance.coglet.close()

    def stop(self) -> None:
        """End the process's work at the next moment; nothing that runs is disturbed."""
        self._stopping.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task the engine owns; what it raises is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task_failed", exc_info=error)
            self.wake()

    async def _forever(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A loop that must live: while the database is away it waits for it."""
        while True:
            try:
                await work()
            except (DatabaseError, OSError) as error:
                log.warning("waiting_for_services", error=str(error).strip())
            except Exception:  # the top of a loop that must live
                log.exception("loop_failed")
            await asyncio.sleep(_RETRY_SECONDS)

    # --- Wake-ups -----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Decide again soon."""
        self._wake.set()

    def room_made(self) -> None:
        """A prediction left its instance: look at the queue if anything may wait for that."""
        if self._may_wait:
            self.wake()

    async def _listen(self) -> None:
        async for message in wakeups.listen(wakeups.RUNNERS):
            match message["type"]:
                case "work":
                    self.wake()
                case "reconnected":
                    self.fleet.wake()
                    self.wake()
                case "deployments_changed":
                    self.fleet.wake()
                case "cancel":
                    if pump := self.pumps.get(message["id"]):
                        pump.cancel()
                    else:
                        await self.publish_end(message["id"])
                case "replay":
                    await self._answer_replay(message)
                case "stop_instance":
                    if instance := self.instances.get(message["id"]):
                        self.life.stop(instance, message.get("reason", "stopped by an operator"))
                case "stop_version":
                    self.life.stop_all_of(set(message["version_ids"]))

    async def _answer_replay(self, message: dict[str, Any]) -> None:
        if pump := self.pumps.get(message["id"]):
            outputs, logs, stage = message["after"]
            if not pump.ended and (events := pump.shown.replay(Position(outputs, logs, stage))):
                await streams.publish(message["id"], events)

    async def publish_end(self, prediction_id: str) -> None:
        """Tell watchers of a prediction that somebody else ended."""
        snapshot = await dbthreads.run(streams.load_snapshot, prediction_id)
        if snapshot and snapshot.stage == 2:
            await streams.publish(prediction_id, [done(snapshot)])

    # --- Decisions ----------------------------------------------------------------------------------------------------

    async def _decide_when_woken(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            await self._decide()

    async def _decide(self) -> None:
        """One look at the queue."""
        self._may_wait = True
        room = {i.id: i.room for i in self.instances.values() if i.room}
        pools = {i.id: i.pool for i in self.instances.values()}
        running = Counter(pump.prediction.account_id for pump in self.pumps.values())
        claimed, left = await dbthreads.run(_claim_next, room, pools, running)
        for prediction in claimed:
            assert prediction.instance_id is not None
            instance = self.instances.get(prediction.instance_id)
            if instance is None or instance.gone.is_set():
                await dbthreads.run(lifecycle.give_back, prediction.pk, prediction.claim)
                continue
            self.drive(prediction, instance)
        self._may_wait = bool(left)
        self.scaler.scale(left)

    def drive(self, prediction: Prediction, instance: LiveInstance, *, attached: bool = False) -> None:
        """Start the pump of a claimed prediction."""
        pump = Pump(self, prediction, instance, attached=attached)
        self.pumps[prediction.pk] = pump
        instance.enter(pump)
        self.spawn(pump.run())

    def pump_finished(self, pump: Pump) -> None:
        """It ended, was given back or failed."""
        self.pumps.pop(pump.prediction.pk, None)
        self.room_made()

    # --- Files --------------------------------------------------------------------------------------------------------

    def store_output(self, prediction: Prediction, data_uri: str) -> str:
        """Keep a file that a model made; returns its address. Sync."""
        return files.output_url(files.store_output_data_uri(prediction, data_uri))


def _claim_next(
    room: dict[str, int], pools: dict[str, Pool], running: Counter[int]
) -> tuple[list[Prediction], list[Waiting]]:
    """Give waiting predictions to instances with room, in fair order. Returns the claimed ones and those left over."""
    waiting = queueing.fair_order(queueing.read_queue(), running)
    claims: list[Claim] = []
    left: list[Waiting] = []
    for item in waiting:
        best = max((i for i in room if pools[i] == item.pool and room[i] > 0), key=room.__getitem__, default=None)
        if best is None:
            left.append(item)
        else:
            room[best] -= 1
            claims.append(lifecycle.new_claim(item.prediction_id, best))
    return [prediction for prediction in lifecycle.claim_many(claims) if prediction], left
