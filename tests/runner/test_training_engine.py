"""Trainings on real instances: what comes of them, whatever dies, and that what they made runs."""

import asyncio
import base64
import os
import signal
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from marketplace.lib import dbthreads
from models_catalog.models import Model, Version
from runner import files, lifecycle, predictions
from runner.documents import training_document
from runner.models import Instance, Prediction
from tests.models_catalog.factories import ModelFactory
from tests.runner.engines import ask, charged_us, row, running_handle, watch
from tests.runner.factories import make_training

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), pytest.mark.slow]
TEXT = "data:text/plain;base64," + base64.b64encode(b"a poem").decode()


def train(version: Version, destination: Model | None = None, **given: Any) -> Prediction:
    """Queue a training as the trainer's owner would."""
    destination = destination or ModelFactory.create(account=version.model.account)
    return make_training(version, destination, input={"text": TEXT, **given})


def versions_of(training: Prediction) -> list[Version]:
    return list(Version.objects.filter(model=training.destination).select_related("base", "model__account"))


async def test_a_training_makes_a_private_version_with_the_trainers_code(make_version: Any, runners: Any) -> None:
    trainer = await dbthreads.run(make_version, "learner")
    training = await dbthreads.run(train, trainer)
    await runners()
    await watch(training)
    ended = await row(training)
    [made] = await dbthreads.run(versions_of, training)
    assert (ended.status, ended.logs) == ("succeeded", "learning\n")
    assert ended.output == {"version": f"{made.model.full_name}:{made.pk}", "weights": made.weights, "nth": 1}
    assert (made.base, made.is_private, made.training_id, made.is_ready) == (trainer, True, training.pk, True)
    assert made.model.latest_version_id is None
    assert await charged_us(training) == [round(ended.metrics["predict_time"] * 1_000_000)]


async def test_the_weights_are_a_file_that_stays(make_version: Any, runners: Any) -> None:
    training = await dbthreads.run(train, await dbthreads.run(make_version, "learner"))
    await runners()
    await watch(training)
    document = training_document(await row(training))
    file = await dbthreads.run(files.find_output, document["output"]["weights"])
    assert file is not None
    assert file.expires_at is None
    with await dbthreads.run(files.open_content, file) as content:
        assert content.read() == b"a poem"


async def test_the_new_version_runs_with_its_weights_and_the_base_without(make_version: Any, runners: Any) -> None:
    trainer = await dbthreads.run(make_version, "learner")
    training = await dbthreads.run(train, trainer)
    await runners()
    await watch(training)
    [made] = await dbthreads.run(versions_of, training)
    for version, learned in [(made, "a poem"), (trainer, "nothing")]:
        prediction = await dbthreads.run(ask, version)
        await watch(prediction)
        assert (await row(prediction)).output == f"I have learned {learned}"


async def test_a_trained_version_can_train_again_on_the_same_base(make_version: Any, runners: Any) -> None:
    trainer = await dbthreads.run(make_version, "learner")
    first = await dbthreads.run(train, trainer)
    await runners()
    await watch(first)
    [made] = await dbthreads.run(versions_of, first)
    second = await dbthreads.run(train, made)
    await watch(second)
    [again] = await dbthreads.run(versions_of, second)
    assert (again.base, again.pk != made.pk) == (trainer, True)


async def test_each_training_has_an_instance_of_its_own(make_version: Any, runners: Any) -> None:
    trainer = await dbthreads.run(make_version, "learner")
    both = [await dbthreads.run(train, trainer) for _ in range(2)]
    await runners()
    for training in both:
        await watch(training)
        assert (await row(training)).output["nth"] == 1
    instances = await dbthreads.run(lambda: {row.instance_id for row in Prediction.objects.all()})
    assert len(instances) == 2
    async with asyncio.timeout(20):
        while await dbthreads.run(Instance.objects.exclude(state="stopped").exists):
            await asyncio.sleep(0.05)


async def test_a_training_that_fails_says_why_and_makes_no_version(make_version: Any, runners: Any) -> None:
    training = await dbthreads.run(train, await dbthreads.run(make_version, "learner"), end="error")
    await runners()
    await watch(training)
    ended = await row(training)
    assert (ended.status, ended.error, ended.tries) == ("failed", "ValueError: nothing to learn here", 1)
    assert await dbthreads.run(versions_of, training) == []


async def test_a_training_that_dies_is_tried_three_times_and_never_billed(make_version: Any, runners: Any) -> None:
    training = await dbthreads.run(train, await dbthreads.run(make_version, "learner"), end="exit")
    await runners()
    await watch(training)
    ended = await row(training)
    assert (ended.status, ended.fault_class, ended.tries) == ("failed", "platform", 3)
    assert await charged_us(training) == [0]
    assert await dbthreads.run(versions_of, training) == []


async def test_a_cancel_ends_it_at_once_and_its_instance_too(make_version: Any, runners: Any) -> None:
    training = await dbthreads.run(train, await dbthreads.run(make_version, "learner"), seconds=60)
    runner = await runners()
    await watch(training, until=lambda event: event.kind == "logs")
    await dbthreads.run(predictions.end_canceled, training.pk)
    assert (await watch(training))[-1].status == "canceled"
    assert await dbthreads.run(versions_of, training) == []
    async with asyncio.timeout(20):
        while await runner.backend.list_running():
            await asyncio.sleep(0.05)


async def test_a_training_longer_than_the_site_allows_fails(
    make_version: Any, runners: Any, settings: Settings
) -> None:
    settings.PREDICTION_TIMEOUT_SECONDS, settings.TRAINING_TIMEOUT_SECONDS = 1, 2
    training = await dbthreads.run(train, await dbthreads.run(make_version, "learner"), seconds=60)
    await runners()
    await watch(training)
    ended = await row(training)
    assert (ended.status, ended.error) == ("failed", "Training timed out")
    assert ended.metrics["predict_time"] >= 2


async def test_an_instance_that_is_lost_is_replaced_and_one_version_is_made(make_version: Any, runners: Any) -> None:
    training = await dbthreads.run(train, await dbthreads.run(make_version, "learner"), seconds=1)
    runner = await runners()
    await watch(training, until=lambda event: event.kind == "logs")
    os.killpg((await running_handle(runner)).pid, signal.SIGKILL)
    await watch(training)
    ended = await row(training)
    assert (ended.status, ended.tries, len(await dbthreads.run(versions_of, training))) == ("succeeded", 2, 1)


async def test_a_new_runner_takes_a_training_over(make_version: Any, runners: Any) -> None:
    training = await dbthreads.run(train, await dbthreads.run(make_version, "learner"), seconds=1.5)
    first = await runners()
    await watch(training, until=lambda event: event.kind == "logs")
    await first.die()
    await asyncio.sleep(2.5)  # it ends meanwhile
    second = await runners()
    await watch(training)
    ended = await row(training)
    assert (ended.status, ended.tries, len(await dbthreads.run(versions_of, training))) == ("succeeded", 1, 1)
    async with asyncio.timeout(20):
        while await second.backend.list_running():
            await asyncio.sleep(0.05)


async def test_a_runner_that_dies_while_it_writes_the_end_leaves_all_or_nothing(
    make_version: Any, runners: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = await dbthreads.run(train, await dbthreads.run(make_version, "learner"), seconds=0.5)
    first = await runners()
    dying = asyncio.Event()
    write_end = lifecycle.end_many

    def die_after_the_end(outcomes: Any) -> Any:
        write_end(outcomes)  # the version is not written yet
        loop.call_soon_threadsafe(dying.set)
        raise RuntimeError("the runner died here")

    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "end_many", die_after_the_end)
        async with asyncio.timeout(20):
            await dying.wait()
        await first.die()
    assert (await row(training)).status == "processing"
    assert await dbthreads.run(versions_of, training) == []
    await runners()
    await watch(training)
    assert ((await row(training)).status, len(await dbthreads.run(versions_of, training))) == ("succeeded", 1)
