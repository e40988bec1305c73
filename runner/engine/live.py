"""What the runner holds in memory of one instance: its slots, who uses them, how quick it has been."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from billing.instance_time import Beat
from marketplace.lib.ids import new_id
from runner.backends.base import Handle
from runner.coglet import Coglet
from runner.placement import Size
from runner.pools import Pool
from runner.states import InstanceState

if TYPE_CHECKING:
    from runner.engine.pump import Pump

_AHEAD_SECONDS = 0.05  # predictions may be claimed ahead if they will wait no longer than this
_MOST_AHEAD = 16


@dataclass(eq=False)
class LiveInstance:
    """One instance of a pool on this host, from before it starts until it is gone."""

    id: str
    pool: Pool
    size: Size
    slots: int
    callback_token: str
    state: InstanceState = InstanceState.STARTING
    handle: Handle | None = None
    coglet: Coglet | None = None
    webhook_base: str = ""
    pumps: "dict[str, Pump]" = field(default_factory=dict)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    gone_reason: str = ""
    was_used: bool = False  # something ran on it
    setup_seconds: float = 0.0
    idle_since: float = field(default_factory=time.monotonic)
    task: asyncio.Task[None] | None = None
    epoch: str = field(default_factory=new_id)  # this runner's life with it: its signs of life count from there
    since: float = field(default_factory=time.monotonic)
    _free: asyncio.Semaphore = field(init=False)
    _typical_seconds: float = 1.0  # of recent predictions; starts careful

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.slots)

    @property
    def beat(self) -> Beat:
        """A sign of life: how long it has been looked after."""
        return Beat(self.id, self.epoch, int((time.monotonic() - self.since) * 1_000_000))

    @property
    def is_up(self) -> bool:
        """It takes predictions."""
        return self.state in (InstanceState.READY, InstanceState.BUSY) and not self.gone.is_set()

    @property
    def room(self) -> int:
        """How many more predictions it may be given now: free slots, and some ahead when it is quick."""
        if not self.is_up:
            return 0
        if self.pool.is_training:
            return 0 if self.was_used else 1  # each training finds the model as it was set up
        ahead = min(_MOST_AHEAD, int(_AHEAD_SECONDS / max(self._typical_seconds, 0.001)))
        return max(0, self.slots * (1 + ahead) - len(self.pumps))

    @property
    def is_idle(self) -> bool:
        """It is up and nobody uses it."""
        return self.is_up and not self.pumps

    def connect(self, handle: Handle) -> Coglet:
        """Speak to its server from now on."""
        self.handle, self.webhook_base = handle, handle.callback_base
        self.coglet = Coglet(handle.endpoint, resource="trainings" if self.pool.is_training else "predictions")
        return self.coglet

    def enter(self, pump: "Pump") -> None:
        """A prediction was claimed for it."""
        self.pumps[pump.prediction.pk] = pump
        self.was_used = True
        self.state = InstanceState.BUSY

    def leave(self, pump: "Pump") -> None:
        """The prediction no longer needs it."""
        self.pumps.pop(pump.prediction.pk, None)
        if not self.pumps:
            self.idle_since = time.monotonic()
            if self.state == InstanceState.BUSY:
                self.state = InstanceState.READY

    async def take_slot(self, timeout_seconds: float) -> bool:
        """Wait for a slot; False when none became free in time."""
        if not self._free.locked():
            await self._free.acquire()
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._free.acquire()
        except TimeoutError:
            return False
        return True

    def release_slot(self) -> None:
        """Give a slot back."""
        self._free.release()

    def note_duration(self, seconds: float) -> None:
        """Learn how long predictions take here: quickly upwards, slowly downwards."""
        if seconds > self._typical_seconds:
            self._typical_seconds = seconds
        else:
            self._typical_seconds += (seconds - self._typical_seconds) * 0.3

    def mark_gone(self, reason: str) -> None:
        """Nothing more can be had from it; everybody who uses it is told. The first reason stays."""
        if not self.gone.is_set():
            self.gone_reason = reason
            self.gone.set()
            for pump in list(self.pumps.values()):
                pump.instance_gone()
