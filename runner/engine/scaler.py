"""Starts what is missing and stops what has idled, per pool: facts of this host and of the fleet, and what follows.

Pools that everybody shares are each host's own affair. A deployment's pools have targets for all hosts together:
others' instances are counted, and the database says last whether one may start or stop.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings

from marketplace.lib import dbthreads
from runner import instances, queueing
from runner.engine.live import LiveInstance
from runner.placement import Tenant, find_place
from runner.pools import Pool
from runner.queueing import Waiting
from runner.rollouts import PoolCount, PoolTarget
from runner.scaling import Demand, wanted_instances
from runner.states import InstanceState

if TYPE_CHECKING:
    from runner.engine.loop import Engine

_NOBODY = PoolCount()
_SHARED = PoolTarget(minimum=0, maximum=4)
_RETIRED = PoolTarget(minimum=0, maximum=1)  # enough to run what was accepted before


class Scaler:
    """The engine's decisions on how many instances there are."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._letting_go: set[str] = set()

    def scale(self, left: list[Waiting]) -> None:
        """One look at all pools. left: predictions that no instance had room for."""
        waiting: dict[Pool, list[Waiting]] = defaultdict(list)
        for item in left:
            waiting[item.pool].append(item)
        mine: dict[Pool, list[LiveInstance]] = defaultdict(list)
        for instance in self._engine.instances.values():
            if not instance.gone.is_set() and instance.state != InstanceState.DRAINING:
                mine[instance.pool].append(instance)
        for pool in {*waiting, *mine, *self._engine.fleet.targets}:
            if pool.deployment_id is None:
                self._scale_shared(pool, waiting[pool], mine[pool])
            elif self._engine.fleet.is_known:
                self._scale_deployed(pool, waiting[pool], mine[pool])

    def _scale_shared(self, pool: Pool, waiting: list[Waiting], mine: list[LiveInstance]) -> None:
        demand = _demand(waiting, mine, target=_SHARED, idle_stop_seconds=settings.IDLE_STOP_SECONDS)
        wanted = wanted_instances(demand)
        if wanted > len(mine):
            self._start_one(pool)
        for instance in _idle(mine, settings.IDLE_STOP_SECONDS)[: max(0, len(mine) - wanted)]:
            self._engine.life.stop(instance, "idle")

    def _scale_deployed(self, pool: Pool, waiting: list[Waiting], mine: list[LiveInstance]) -> None:
        fleet = self._engine.fleet
        target = fleet.targets.get(pool)
        idle_seconds = settings.IDLE_STOP_SECONDS if target else fleet.linger_seconds(pool)
        target = target or _RETIRED
        others = fleet.elsewhere.get(pool, _NOBODY)
        demand = _demand(waiting, mine, others, target=target, idle_stop_seconds=idle_seconds)
        wanted = wanted_instances(demand)
        if wanted > demand.instances:
            self._start_one(pool, most=wanted)
        for instance in _idle(mine, idle_seconds)[: max(0, demand.instances - wanted)]:
            self._let_go(instance, least=wanted)

    def _start_one(self, pool: Pool, *, most: int | None = None) -> None:
        engine = self._engine
        need = engine.life.size_of(pool.hardware)
        if need is None or not engine.takes_new_instances or not engine.life.may_start(pool):
            return
        place = find_place(engine.capacity, self._tenants(), need)
        if place is None:
            return
        for instance_id in place.evict:
            engine.life.stop(engine.instances[instance_id], "made room for another model")
        if not place.evict:  # room is there once the evicted are gone, which wakes us again
            engine.life.start(pool, need, most=most)

    def _tenants(self) -> list[Tenant]:
        """Who may have to make room: what idles, but for what a deployment holds ready."""
        held = self._held(self._engine.instances.values())
        return [
            Tenant(i.id, i.size, i.idle_since if i.is_idle and i.id not in held else None)
            for i in self._engine.instances.values()
        ]

    def _held(self, live: Iterable[LiveInstance]) -> set[str]:
        """Instances that a deployment's minimum, or a release on its way, holds; of several the most recently used."""
        fleet = self._engine.fleet
        pools: dict[Pool, list[LiveInstance]] = defaultdict(list)
        for instance in live:
            if instance.pool in fleet.targets and instance.is_up:
                pools[instance.pool].append(instance)
        held: set[str] = set()
        for pool, members in pools.items():
            target = fleet.targets[pool]
            elsewhere = fleet.elsewhere.get(pool, _NOBODY).up
            spare = 0 if target.is_held else max(0, len(members) + elsewhere - target.minimum)
            longest_idle_first = sorted(members, key=lambda i: (not i.is_idle, i.idle_since))
            held |= {instance.id for instance in longest_idle_first[spare:]}
        return held

    def _let_go(self, instance: LiveInstance, *, least: int) -> None:
        if instance.id not in self._letting_go:
            self._letting_go.add(instance.id)
            self._engine.spawn(self._ask_and_stop(instance, least))

    async def _ask_and_stop(self, instance: LiveInstance, least: int) -> None:
        try:
            if await dbthreads.run(instances.let_go, instance.id, instance.pool, least=least):
                self._engine.life.stop(instance, "idle")
        finally:
            self._letting_go.discard(instance.id)


def _idle(mine: list[LiveInstance], seconds: float) -> list[LiveInstance]:
    """Those that nobody has used for so long, the longest idle first."""
    until = time.monotonic() - seconds
    return sorted((i for i in mine if i.is_idle and i.idle_since <= until), key=lambda i: i.idle_since)


def _demand(
    waiting: list[Waiting],
    mine: list[LiveInstance],
    others: PoolCount = _NOBODY,
    *,
    target: PoolTarget,
    idle_stop_seconds: float,
) -> Demand:
    now = time.monotonic()
    return Demand(
        queued=len(waiting),
        running=sum(len(i.pumps) for i in mine) + others.busy,
        instances=len(mine) + others.all,
        starting=sum(not i.is_up for i in mine) + others.starting,
        slots=mine[0].slots if mine else 1,
        oldest_wait_seconds=queueing.oldest_wait_seconds(waiting),
        idle_seconds=min((now - i.idle_since for i in mine if i.is_idle), default=0.0),
        idle_stop_seconds=idle_stop_seconds,
        setup_seconds=max((i.setup_seconds for i in mine), default=0.0),
        minimum=target.minimum,
        maximum=target.maximum,
    )
