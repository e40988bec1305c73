"""From releases to instances: how many each pool of a deployment should have, and when a new release serves.

Instances of the new release start first; once there are as many as it takes, predictions are made against it, and the
instances of the release before stop when nothing uses them. All that is known is in rows, so any runner goes on where
another stopped. `pool_targets` and `is_brought_up` are pure.  Source: design.md, "Instances and hosts".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import transaction

from runner import deployment_targets, event_log
from runner.event_log import NewEvent
from runner.models import Deployment, Host, Instance, Release
from runner.pools import Pool
from runner.states import INSTANCE_ENDED, INSTANCE_UP, InstanceState
from runner.storable import clean_text

_LONGEST_ERROR = 2000  # characters that are told; instances keep all of theirs


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where a deployment stands: the release that serves, and the one that shall."""

    deployment_id: int
    serving: Release
    current: Release

    @property
    def is_rolling(self) -> bool:
        """The current release does not serve yet."""
        return self.serving.pk != self.current.pk


@dataclass(frozen=True, slots=True)
class PoolTarget:
    """How many instances a pool should have, on all hosts together."""

    minimum: int
    maximum: int
    is_held: bool = False  # none of them may make room for others


@dataclass(slots=True)
class PoolCount:
    """Instances of a pool that are not ended, nor on their way to it."""

    up: int = 0
    starting: int = 0
    busy: int = 0

    @property
    def all(self) -> int:
        """Up and starting."""
        return self.up + self.starting


@dataclass(frozen=True, slots=True)
class FleetFacts:
    """All rollouts, and how many instances deployments have: everywhere, and on other hosts than one's own."""

    rollouts: tuple[Rollout, ...] = ()
    counts: dict[Pool, PoolCount] = field(default_factory=dict)
    elsewhere: dict[Pool, PoolCount] = field(default_factory=dict)


def pool_targets(rollouts: Iterable[Rollout], counts: Mapping[Pool, PoolCount]) -> dict[Pool, PoolTarget]:
    """The targets of all pools that have one. Pools without one run what was accepted for them, and stop."""
    targets: dict[Pool, PoolTarget] = {}
    for rollout in rollouts:
        serving, current = rollout.serving, rollout.current
        if serving.max_instances:
            bounds = current if serving.pool == current.pool else serving
            is_held = rollout.is_rolling and serving.pool != current.pool
            targets[serving.pool] = PoolTarget(bounds.min_instances, bounds.max_instances, is_held)
        if current.pool != serving.pool:
            wanted = wanted_before_serving(rollout, counts)
            targets[current.pool] = PoolTarget(wanted, max(wanted, current.max_instances), is_held=True)
    return targets


def wanted_before_serving(rollout: Rollout, counts: Mapping[Pool, PoolCount]) -> int:
    """How many instances the new release has to have up first: its minimum, and no fewer than serve now."""
    serve_now = counts[rollout.serving.pool].up if rollout.serving.pool in counts else 0
    return max(1, rollout.current.min_instances, min(serve_now, rollout.current.max_instances))


def is_brought_up(rollout: Rollout, counts: Mapping[Pool, PoolCount]) -> bool:
    """May the new release serve?"""
    count = counts.get(rollout.current.pool)
    return count is not None and count.up >= wanted_before_serving(rollout, counts)


def read_fleet(host_id: int) -> FleetFacts:
    """All that is known of deployments. Suspended owners and taken-down models have no targets."""
    rows = Deployment.objects.filter(
        account__suspended_at=None, serving_release__version__model__hidden_at=None, serving_release__isnull=False
    ).select_related("serving_release", "current_release")
    rollouts = tuple(
        Rollout(row.pk, row.serving_release, row.current_release)
        for row in rows
        if row.serving_release and row.current_release
    )
    counts: dict[Pool, PoolCount] = {}
    elsewhere: dict[Pool, PoolCount] = {}
    for pool, host, state in _live_instances():
        for table in [counts, *([elsewhere] if host != host_id else [])]:
            count = table.setdefault(pool, PoolCount())
            if state in INSTANCE_UP:
                count.up += 1
                count.busy += state == InstanceState.BUSY
            else:
                count.starting += 1
    return FleetFacts(rollouts, counts, elsewhere)


def _live_instances() -> Iterable[tuple[Pool, int, str]]:
    """Pool, host and state of deployments' instances. Those of lost hosts are nowhere."""
    rows = Instance.objects.filter(deployment__isnull=False).exclude(host__status=Host.Status.LOST)
    live = rows.exclude(state__in=[*INSTANCE_ENDED, InstanceState.DRAINING])
    for version, hardware, deployment, host, state in live.values_list(
        "version_id", "hardware_id", "deployment_id", "host_id", "state"
    ):
        yield Pool(version, hardware, deployment), host, state


def count_live(pool: Pool) -> int:
    """How many instances of the pool are up or starting, on all hosts."""
    return sum(found == pool for found, _, _ in _live_instances())


def let_serve(rollout: Rollout, *, reason: str = "") -> bool:
    """From now on predictions are made against the current release. False if somebody was quicker, or it changed."""
    with transaction.atomic():
        row = Deployment.objects.select_for_update(of=("self",)).select_related("account")
        found = row.filter(
            pk=rollout.deployment_id, current_release=rollout.current, serving_release=rollout.serving
        ).first()
        if found is None:
            return False
        Deployment.objects.filter(pk=found.pk).update(serving_release=rollout.current)
        Release.objects.filter(pk=rollout.current.pk).update(error="")
        data = {"release": rollout.current.number, "before": rollout.serving.number, **_given(reason=reason)}
        _record(found, "deployment.rolled", data)
        deployment_targets.changed()
        return True


def note_failure(pool: Pool, error: str) -> None:
    """Instances of the pool can't be brought up: the current release says so, if it is that pool's."""
    assert pool.deployment_id is not None
    error = clean_text(error)[:_LONGEST_ERROR]
    with transaction.atomic():
        row = Deployment.objects.select_for_update(of=("self",)).select_related("account", "current_release")
        found = row.filter(pk=pool.deployment_id).first()
        release = found.current_release if found else None
        if found is None or release is None or release.pool != pool:
            return
        if Release.objects.filter(pk=release.pk).exclude(error=error).update(error=error):
            data = {"release": release.number, "error": error, "serves": not found.is_rolling}
            _record(found, "deployment.failed", data)


def note_success(pool: Pool) -> None:
    """An instance of the pool came up: what was noted before no longer holds."""
    assert pool.deployment_id is not None
    rows = Release.objects.filter(deployment_id=pool.deployment_id, version_id=pool.version_id, hardware=pool.hardware)
    rows.exclude(error="").update(error="")


def _given(**members: str) -> dict[str, str]:
    return {name: value for name, value in members.items() if value}


def _record(deployment: Deployment, what: str, data: dict[str, object]) -> None:
    subject = f"deployment/{deployment.full_name}"
    event_log.record_many([NewEvent(deployment.account_id, what, subject, data)])
