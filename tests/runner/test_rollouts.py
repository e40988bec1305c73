"""From releases to targets, and the moves of a rollout."""

import threading
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account
from models_catalog.models import Version
from runner import deployments, instances, rollouts
from runner.deployment_fields import NewDeployment, ReleaseChanges
from runner.models import Deployment, Host, Instance, LoggedEvent, Release
from runner.pools import Pool
from runner.rollouts import PoolCount, PoolTarget, Rollout
from tests.accounts.factories import AccountFactory, caller_of
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import make_instance

OLD, NEW = Pool("a" * 64, "cpu", 1), Pool("b" * 64, "cpu", 1)


def release(pool: Pool, minimum: int, maximum: int, pk: int) -> Release:
    return Release(
        pk=pk,
        number=pk,
        deployment_id=1,
        version_id=pool.version_id,
        hardware=pool.hardware,
        min_instances=minimum,
        max_instances=maximum,
    )


def rollout(serving: tuple[Pool, int, int], current: tuple[Pool, int, int]) -> Rollout:
    first = release(*serving, pk=1)
    return Rollout(1, first, first if serving == current else release(*current, pk=2))


@pytest.mark.parametrize(
    ("serving", "current", "up", "targets"),
    [
        pytest.param((OLD, 1, 3), (OLD, 1, 3), 0, {OLD: PoolTarget(1, 3)}, id="nothing rolls"),
        pytest.param((OLD, 0, 0), (OLD, 0, 0), 2, {}, id="a disabled one wants nothing"),
        pytest.param(
            (OLD, 1, 3),
            (NEW, 0, 2),
            0,
            {OLD: PoolTarget(1, 3, is_held=True), NEW: PoolTarget(1, 2, is_held=True)},
            id="one of the new comes up first",
        ),
        pytest.param(
            (OLD, 1, 9),
            (NEW, 2, 3),
            5,
            {OLD: PoolTarget(1, 9, is_held=True), NEW: PoolTarget(3, 3, is_held=True)},
            id="as many as serve now, within the new maximum",
        ),
    ],
)
def test_targets_of_pools(
    serving: tuple[Pool, int, int], current: tuple[Pool, int, int], up: int, targets: dict[Pool, PoolTarget]
) -> None:
    assert rollouts.pool_targets([rollout(serving, current)], {OLD: PoolCount(up=up)}) == targets


@pytest.mark.parametrize(
    ("minimum", "old_up", "new_up", "is_up"),
    [(0, 0, 0, False), (0, 0, 1, True), (2, 1, 1, False), (2, 1, 2, True), (0, 3, 2, False), (0, 3, 3, True)],
)
def test_a_release_is_brought_up_once_it_can_do_what_the_one_before_does(
    minimum: int, old_up: int, new_up: int, is_up: bool
) -> None:
    counts = {OLD: PoolCount(up=old_up), NEW: PoolCount(up=new_up)}
    assert rollouts.is_brought_up(rollout((OLD, 0, 5), (NEW, minimum, 5)), counts) is is_up


@pytest.fixture
def owner(db: None) -> Account:
    return AccountFactory.create(username="alice")


@pytest.fixture
def version(owner: Account) -> Version:
    return VersionFactory.create(model__account=owner, model__name="echo")


@pytest.fixture
def deployment(owner: Account, version: Version) -> Deployment:
    return deployments.create(caller_of(owner), NewDeployment("prod", "alice/echo", version.pk, "cpu", 1, 3))


def roll(deployment: Deployment, version: Version) -> Rollout:
    """Deploy a newer version while an instance of the old one runs."""
    assert deployment.current_release
    make_instance(deployment.current_release.pool, state="ready")
    newer = VersionFactory.create(model=version.model)
    deployments.update(caller_of(deployment.account), "alice", "prod", ReleaseChanges(version=newer.pk))
    (found,) = rollouts.read_fleet(0).rollouts
    return found


def test_a_release_begins_to_serve_once(deployment: Deployment, version: Version) -> None:
    rolling = roll(deployment, version)
    assert rollouts.let_serve(rolling) is True
    assert rollouts.let_serve(rolling) is False
    deployment.refresh_from_db()
    assert not deployment.is_rolling
    assert LoggedEvent.objects.filter(type="deployment.rolled").count() == 1


def test_a_release_that_is_no_longer_wanted_never_serves(deployment: Deployment, version: Version) -> None:
    rolling = roll(deployment, version)
    deployments.roll_back(caller_of(deployment.account), "alice", "prod")
    assert rollouts.let_serve(rolling) is False
    deployment.refresh_from_db()
    assert (deployment.is_rolling, deployment.serving_release.number) == (False, 3)  # type: ignore[union-attr]


def test_a_failure_is_noted_on_the_release_and_in_the_event_log_once(deployment: Deployment, version: Version) -> None:
    rolling = roll(deployment, version)
    for _ in range(2):
        rollouts.note_failure(rolling.current.pool, "no such module")
    assert Release.objects.get(pk=rolling.current.pk).error == "no such module"
    event = LoggedEvent.objects.get(type="deployment.failed")
    assert event.data == {"release": 2, "error": "no such module", "serves": False}
    rollouts.note_success(rolling.current.pool)
    assert Release.objects.get(pk=rolling.current.pk).error == ""


def test_whatever_a_model_says_as_it_fails_can_be_noted(deployment: Deployment, version: Version) -> None:
    rolling = roll(deployment, version)
    rollouts.note_failure(rolling.current.pool, "no\0such " + "x" * 100_000)
    assert Release.objects.get(pk=rolling.current.pk).error.startswith("no\ufffdsuch xxx")


def test_a_failure_of_an_older_release_is_no_news(deployment: Deployment, version: Version) -> None:
    rolling = roll(deployment, version)
    rollouts.note_failure(rolling.serving.pool, "no such module")
    assert not LoggedEvent.objects.filter(type="deployment.failed").exists()


def test_suspended_owners_have_no_targets(deployment: Deployment, owner: Account) -> None:
    from django.utils import timezone

    Account.objects.filter(pk=owner.pk).update(suspended_at=timezone.now())
    assert rollouts.read_fleet(0).rollouts == ()


def test_instances_of_all_hosts_count_but_not_those_of_lost_ones(deployment: Deployment) -> None:
    pool = deployment.current_release.pool  # type: ignore[union-attr]
    mine = make_instance(pool, host="a", state="ready")
    make_instance(pool, host="b", state="busy")
    make_instance(pool, host="b", state="draining")
    make_instance(pool, host="c", state="ready")
    Host.objects.filter(name="c").update(status="lost")
    facts = rollouts.read_fleet(mine.host_id)
    assert facts.counts[pool] == PoolCount(up=2, busy=1)
    assert facts.elsewhere[pool] == PoolCount(up=1, busy=1)


def test_no_more_start_than_the_deployment_may_have_on_all_hosts(deployment: Deployment) -> None:
    pool = deployment.current_release.pool  # type: ignore[union-attr]
    host = make_instance(pool, host="a").host_id
    assert instances.create(host, pool, most=2) is not None
    assert instances.create(host, pool, most=2) is None


def test_nothing_starts_for_a_deployment_that_is_gone(deployment: Deployment) -> None:
    pool = deployment.current_release.pool  # type: ignore[union-attr]
    host = make_instance(pool, host="a").host_id
    deployments.delete(caller_of(deployment.account), "alice", "prod")
    assert instances.create(host, pool, most=2) is None


def test_no_fewer_remain_than_the_deployment_shall_have_on_all_hosts(deployment: Deployment) -> None:
    pool = deployment.current_release.pool  # type: ignore[union-attr]
    here, there = make_instance(pool, host="a", state="ready"), make_instance(pool, host="b", state="ready")
    assert instances.let_go(here.pk, pool, least=1) is True
    assert instances.let_go(there.pk, pool, least=1) is False
    here.refresh_from_db()
    assert here.state == "draining"


@pytest.mark.django_db(transaction=True)
def test_of_two_hosts_that_miss_one_instance_one_starts_it(deployment: Deployment) -> None:
    pool = deployment.current_release.pool  # type: ignore[union-attr]
    hosts = [make_instance(pool, host=name, state="stopped").host_id for name in "ab"]
    together, made = threading.Barrier(2), list[Any]()

    def start(host: int) -> None:
        together.wait()
        made.append(instances.create(host, pool, most=1))
        connection.close()

    threads = [threading.Thread(target=start, args=[host]) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(row is not None for row in made) == 1
    assert Instance.objects.exclude(state="stopped").count() == 1
