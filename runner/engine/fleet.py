"""What the engine knows of deployments: read once a second and when told of a change, not once per decision.

It also moves rollouts on: any runner may, the database lets one.
"""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import structlog

from marketplace.lib import dbthreads
from runner import rollouts
from runner.deployment_targets import CACHE_SECONDS
from runner.engine.patience import until_stored
from runner.pools import Pool
from runner.rollouts import FleetFacts, PoolCount, PoolTarget, Rollout

if TYPE_CHECKING:
    from runner.engine.loop import Engine

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 1.0
_EVERY_SECONDS_ROLLING = 0.2


class Fleet:
    """A picture of all deployments' pools, at most about a second old."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._facts = FleetFacts()
        self._wake = asyncio.Event()
        self._retired_since: dict[Pool, float] = {}
        self._stuck_since: dict[int, tuple[int, float]] = {}  # release → its instances, since when there are so many
        self.targets: dict[Pool, PoolTarget] = {}
        self.is_known = False  # it was read at least once
        self.full_after_seconds = 15.0  # a release that gets no more instances for so long serves with what it has
        self.retired_linger_seconds = CACHE_SECONDS + 2.0  # web processes may still send to the release before

    @property
    def elsewhere(self) -> dict[Pool, PoolCount]:
        """Instances on other hosts."""
        return self._facts.elsewhere

    def wake(self) -> None:
        """Look again soon."""
        self._wake.set()

    async def run(self) -> None:
        """For ever; raises what the database raises."""
        while True:
            await self.refresh()
            is_rolling = any(rollout.is_rolling for rollout in self._facts.rollouts)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_SECONDS_ROLLING if is_rolling else _EVERY_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def refresh(self) -> None:
        """Read all, let serve what is brought up, have the engine decide if something changed."""
        facts = await dbthreads.run(rollouts.read_fleet, self._engine.host.pk)
        for rollout in facts.rollouts:
            if rollout.is_rolling:
                await self._move_on(rollout, facts)
        self._stuck_since = {
            pk: seen for pk, seen in self._stuck_since.items() if any(pk == r.current.pk for r in facts.rollouts)
        }
        targets = rollouts.pool_targets(facts.rollouts, facts.counts)
        has_news = targets != self.targets or facts.elsewhere != self._facts.elsewhere or not self.is_known
        self._facts, self.targets, self.is_known = facts, targets, True
        self._note_retired()
        if has_news:
            self._engine.wake()

    async def _move_on(self, rollout: Rollout, facts: FleetFacts) -> None:
        if rollouts.is_brought_up(rollout, facts.counts):
            reason = ""
        elif self._is_stuck(rollout, facts):
            reason = "there is no room for more of its instances beside those of the release before"
        else:
            return
        if await dbthreads.run(rollouts.let_serve, rollout, reason=reason):
            log.info("release_serves", deployment=rollout.deployment_id, release=rollout.current.number, reason=reason)
            self.wake()

    def _is_stuck(self, rollout: Rollout, facts: FleetFacts) -> bool:
        """Has the new release got no more instances for a while, though nothing is wrong with it?

        Then the host is full: the release before has to make room.
        """
        count = facts.counts.get(rollout.current.pool, PoolCount())
        seen = self._stuck_since.get(rollout.current.pk)
        now = time.monotonic()
        if seen is None or seen[0] != count.all or count.starting or rollout.current.error:
            self._stuck_since[rollout.current.pk] = (count.all, now)
            return False
        need = self._engine.life.size_of(rollout.current.hardware)
        fits_here = need is not None and self._engine.takes_new_instances and self._engine.capacity.holds(need)
        return fits_here and now - seen[1] >= self.full_after_seconds

    def _note_retired(self) -> None:
        """Since when pools of this host have had no target."""
        now = time.monotonic()
        pools = {i.pool for i in self._engine.instances.values() if i.pool.deployment_id is not None}
        self._retired_since = {pool: self._retired_since.get(pool, now) for pool in pools if pool not in self.targets}

    def linger_seconds(self, pool: Pool) -> float:
        """For how long an instance of a pool without a target must have been idle to stop.

        Never until the pool has been without one for that long.
        """
        linger = self.retired_linger_seconds
        since = self._retired_since.get(pool)
        return linger if since is not None and time.monotonic() - since >= linger else float("inf")

    def has_up(self, pool: Pool) -> bool:
        """Is an instance of the pool up, on any host?"""
        here = any(i.pool == pool and i.is_up for i in self._engine.instances.values())
        return here or self.elsewhere.get(pool, PoolCount()).up > 0

    async def note_failure(self, pool: Pool, error: str) -> None:
        """An instance of a deployment could not be brought up."""
        if pool.deployment_id is not None:
            await until_stored(lambda: dbthreads.run(rollouts.note_failure, pool, error))
            self.wake()

    async def note_success(self, pool: Pool) -> None:
        """An instance of a deployment is up."""
        if pool.deployment_id is not None:
            await until_stored(lambda: dbthreads.run(rollouts.note_success, pool))
            self.wake()
