"""Deployments on real instances: warm, scaled, rolled from release to release, whatever dies."""

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from accounts.models import Account
from marketplace.lib import dbthreads
from models_catalog.models import Version
from runner import deployment_targets, deployments
from runner.deployment_fields import NewDeployment, ReleaseChanges
from runner.models import Deployment, Instance, LoggedEvent, Prediction
from runner.placement import Size
from runner.states import INSTANCE_ENDED
from tests.accounts.factories import caller_of
from tests.plugins.api_client import ApiClient
from tests.runner.engines import Runner, ask, row, running_handle, watch

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), pytest.mark.slow]
Deploy = Callable[..., Awaitable[Deployment]]


@pytest.fixture
def deploy(alice: Account) -> Deploy:
    """Alice deploys a version as `prod`."""
    deployment_targets.forget()

    async def make(version: Version, minimum: int, maximum: int, name: str = "prod") -> Deployment:
        new = NewDeployment(name, version.model.full_name, version.pk, "cpu-small", minimum, maximum)
        return await dbthreads.run(deployments.create, caller_of(alice), new)

    return make


def change(alice: Account, **changes: Any) -> Awaitable[Deployment]:
    return dbthreads.run(deployments.update, caller_of(alice), "alice", "prod", ReleaseChanges(**changes))


def send(alice: Account, **given: Any) -> Prediction:
    """A prediction for `prod`."""
    target = deployment_targets.find_target(caller_of(alice), "alice", "prod")
    return ask(Version.objects.get(pk=target.version_id), deployment=target, **given)


def live() -> "Counter[tuple[str, str]]":
    """How many instances there are of each version, in each state."""
    rows = Instance.objects.exclude(state__in=INSTANCE_ENDED)
    return Counter(
        (version, "up" if state in ("ready", "busy") else state)
        for version, state in rows.values_list("version_id", "state")
    )


async def until_live(wanted: dict[tuple[str, str], int], seconds: float = 40) -> None:
    """Until exactly these instances are there."""
    end = time.monotonic() + seconds
    while (found := await dbthreads.run(live)) != wanted:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)


async def test_the_minimum_is_warm_without_anybody_asking_and_comes_back(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account
) -> None:
    version = await dbthreads.run(make_version, "echo", model__account=alice)
    runner = await runners()
    await deploy(version, 2, 3)
    await until_live({(version.pk, "up"): 2})
    os.killpg((await running_handle(runner)).pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while not await dbthreads.run(Instance.objects.filter(state="failed").exists):
            await asyncio.sleep(0.05)
    await until_live({(version.pk, "up"): 2})


async def test_it_grows_with_its_queue_up_to_its_maximum_and_shrinks_to_nothing(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account, settings: Settings
) -> None:
    settings.IDLE_STOP_SECONDS = 1
    version = await dbthreads.run(make_version, "slow", model__account=alice)
    await deploy(version, 0, 2)
    await runners()
    asked = [await dbthreads.run(send, alice, input={"seconds": 3}) for _ in range(8)]
    await until_live({(version.pk, "up"): 2})
    for prediction in asked:
        assert (await watch(prediction))[-1].status == "succeeded"
    assert await dbthreads.run(Instance.objects.count) == 2
    await until_live({})


async def test_predictions_of_others_do_not_run_on_its_instances(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account
) -> None:
    version = await dbthreads.run(make_version, "echo", model__account=alice)
    await runners()
    await deploy(version, 1, 1)
    await until_live({(version.pk, "up"): 1})
    shared = await dbthreads.run(ask, version, input={"text": "hi"})
    await watch(shared)
    instance = (await row(shared)).instance_id
    assert await dbthreads.run(Instance.objects.filter(pk=instance, deployment=None).exists)


async def test_its_minimum_makes_no_room_for_other_models(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account
) -> None:
    version = await dbthreads.run(make_version, "echo", model__account=alice)
    other = await dbthreads.run(make_version, "hello")
    runner: Runner = await runners()
    need = runner.engine.life.size_of("cpu-small")
    assert need is not None
    runner.engine.capacity = Size(need.cpu_millis, need.memory_bytes)
    await deploy(version, 1, 1)
    await until_live({(version.pk, "up"): 1})
    waits = await dbthreads.run(ask, other, input={"name": "Ada"})
    await asyncio.sleep(3)  # for what must not happen
    assert await dbthreads.run(live) == {(version.pk, "up"): 1}
    await change(alice, min_instances=0)
    assert (await watch(waits))[-1].status == "succeeded"


async def test_a_full_host_lets_the_new_release_have_the_room_of_the_old(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account
) -> None:
    version = await dbthreads.run(make_version, "echo", model__account=alice)
    newer = await dbthreads.run(make_version, "echo", model=version.model)
    runner: Runner = await runners()
    need = runner.engine.life.size_of("cpu-small")
    assert need is not None
    runner.engine.capacity = Size(need.cpu_millis, need.memory_bytes)
    runner.engine.fleet.full_after_seconds = 1.0
    await deploy(version, 1, 1)
    await until_live({(version.pk, "up"): 1})
    await change(alice, version=newer.pk)
    await until_live({(newer.pk, "up"): 1})
    event = await dbthreads.run(LoggedEvent.objects.get, type="deployment.rolled")
    assert event.data["reason"].startswith("there is no room")


async def test_a_release_that_can_not_be_set_up_never_serves_and_says_why(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account
) -> None:
    version = await dbthreads.run(make_version, "echo", model__account=alice)
    broken = await dbthreads.run(make_version, "echo", model=version.model)
    await dbthreads.run(Version.objects.filter(pk=broken.pk).update, config={"predict": "missing.py:Runner"})
    await runners()
    await deploy(version, 1, 1)
    await until_live({(version.pk, "up"): 1})
    await change(alice, version=broken.pk)
    async with asyncio.timeout(30):
        while not await dbthreads.run(LoggedEvent.objects.filter(type="deployment.failed").exists):
            await asyncio.sleep(0.05)
    deployment = await dbthreads.run(deployments.get_deployment, caller_of(alice), "alice", "prod")
    assert deployment.is_rolling
    assert deployment.current_release is not None
    assert deployment.current_release.error
    answered = await dbthreads.run(send, alice, input={"text": "hi"})
    assert (await watch(answered))[-1].status == "succeeded"
    await dbthreads.run(deployments.roll_back, caller_of(alice), "alice", "prod")
    await until_live({(version.pk, "up"): 1})


async def test_a_runner_that_died_in_the_middle_of_a_roll_is_followed_by_one_that_ends_it(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account
) -> None:
    version = await dbthreads.run(make_version, "echo", model__account=alice)
    newer = await dbthreads.run(make_version, "echo", model=version.model)
    first: Runner = await runners()
    await deploy(version, 1, 2)
    await until_live({(version.pk, "up"): 1})
    await change(alice, version=newer.pk)
    async with asyncio.timeout(20):
        while not await dbthreads.run(Instance.objects.filter(version=newer).exists):
            await asyncio.sleep(0.01)
    await first.die()
    asked = await dbthreads.run(send, alice, input={"text": "hi"})
    await runners()
    assert (await watch(asked))[-1].status == "succeeded"
    await until_live({(newer.pk, "up"): 1})
    deployment = await dbthreads.run(deployments.get_deployment, caller_of(alice), "alice", "prod")
    assert not deployment.is_rolling


async def test_two_hosts_together_have_as_many_as_are_wanted(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account, settings: Settings, short_dir: Path
) -> None:
    version = await dbthreads.run(make_version, "echo", model__account=alice)
    await runners()
    settings.HOST_NAME, settings.INSTANCES_DIR = "second", short_dir / "instances"
    second = await Runner(short_dir / "second").start()
    try:
        await deploy(version, 2, 4)
        await until_live({(version.pk, "up"): 2})
        await asyncio.sleep(2.5)  # for what must not happen
        assert await dbthreads.run(Instance.objects.count) == 2
        settings.IDLE_STOP_SECONDS = 0
        await change(alice, min_instances=1)
        await until_live({(version.pk, "up"): 1})
        await asyncio.sleep(2.5)
        assert await dbthreads.run(live) == {(version.pk, "up"): 1}
        assert await dbthreads.run(Instance.objects.count) == 2
    finally:
        await second.die()
        for handle in await second.backend.list_running():
            await second.backend.stop(handle, grace_seconds=0)


class Load:
    """Clients that call all the time, each from a thread, until told to stop."""

    def __init__(self, api: ApiClient, clients: int) -> None:
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self._api = api
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(clients)]

    def _call(self) -> None:
        while not self._stop.is_set():
            answer = self._api.post(
                "/v1/deployments/alice/prod/predictions", {"input": {"text": "hi"}}, headers={"Prefer": "wait"}
            )
            self.answers.append((answer.status_code, answer.json()))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


async def test_ten_changes_of_version_under_load_fail_no_request(
    make_version: Any, runners: Any, deploy: Deploy, alice: Account, api: ApiClient, settings: Settings
) -> None:
    settings.RATE_LIMIT_CREATE_PER_MINUTE = 1_000_000
    versions = [await dbthreads.run(make_version, "echo", model__account=alice)]
    versions.append(await dbthreads.run(make_version, "echo", model=versions[0].model))
    runner: Runner = await runners()
    runner.engine.fleet.retired_linger_seconds = 0.5  # here web process and runner share the cache
    await deploy(versions[0], 1, 1)  # on a slow machine its queue would make it grow otherwise
    await until_live({(versions[0].pk, "up"): 1})
    load = Load(api, clients=3)
    await asyncio.to_thread(load.__enter__)
    try:
        for turn in range(1, 11):
            await change(alice, version=versions[turn % 2].pk)
            if turn % 3 == 0:  # else back before the roll is over, or while the old ones drain
                await until_live({(versions[turn % 2].pk, "up"): 1})
            else:
                await asyncio.sleep(turn * 0.3)
    finally:
        await asyncio.to_thread(load.__exit__)
    await until_live({(versions[0].pk, "up"): 1})
    statuses = Counter((status, document["status"]) for status, document in load.answers)
    assert set(statuses) == {(201, "succeeded")}, statuses
    assert {document["version"] for _, document in load.answers} == {version.pk for version in versions}
    assert not await dbthreads.run(Prediction.objects.exclude(tries=1).exists)
