"""The engine on real instances: what happens to predictions, whatever dies.

Each test has an engine of its own; "the runner died" means that its tasks are dropped without a goodbye.
"""

import asyncio
import os
import signal
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from marketplace.lib import dbthreads
from models_catalog.models import Version
from runner import predictions
from runner.models import Instance, WebhookDelivery
from tests.runner.engines import ask, charged_us, row, running_handle, watch

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), pytest.mark.slow]


async def test_a_prediction_runs_and_is_billed_its_processing_time(make_version: Any, runners: Any) -> None:
    prediction = await dbthreads.run(ask, await dbthreads.run(make_version, "echo"), input={"text": "hi"})
    await runners()
    await watch(prediction)
    ended = await row(prediction)
    assert (ended.status, ended.output, ended.logs) == ("succeeded", "hi", "echoing 2 characters\n")
    assert await charged_us(prediction) == [round(ended.metrics["predict_time"] * 1_000_000)]


async def test_a_burst_of_chunks_arrives_whole_and_in_order(make_version: Any, runners: Any) -> None:
    version = await dbthreads.run(make_version, "stream")
    await runners()
    prediction = await dbthreads.run(ask, version, input={"count": 3000})
    events = await watch(prediction)
    items = [item for event in events for item in event.items]
    assert items == [f"word{n} " for n in range(3000)]
    assert (await row(prediction)).output == items


async def test_a_models_exception_fails_it_at_once_with_its_words_and_logs(make_version: Any, runners: Any) -> None:
    prediction = await dbthreads.run(ask, await dbthreads.run(make_version, "fail"))
    await runners()
    await watch(prediction)
    ended = await row(prediction)
    assert (ended.status, ended.error, ended.fault_class, ended.tries) == (
        "failed",
        "ValueError: boom",
        "model_error",
        1,
    )
    assert ended.logs == "about to fail\n"


async def test_a_dying_model_is_tried_three_times_and_never_billed(make_version: Any, runners: Any) -> None:
    prediction = await dbthreads.run(ask, await dbthreads.run(make_version, "crash"))
    await runners()
    await watch(prediction)
    ended = await row(prediction)
    assert (ended.status, ended.fault_class, ended.tries) == ("failed", "platform", 3)
    assert "(E1000)" in str(ended.error)
    assert await charged_us(prediction) == [0]


@pytest.mark.parametrize("model", ["slow", "sleeper"], ids=["stops when asked", "has to be killed"])
async def test_a_cancel_ends_it_at_once_and_frees_the_model(make_version: Any, runners: Any, model: str) -> None:
    version = await dbthreads.run(make_version, model)
    runner = await runners()
    prediction = await dbthreads.run(ask, version, input={"seconds": 60})
    await watch(prediction, until=lambda event: event.kind == "logs")
    await dbthreads.run(predictions.end_canceled, prediction.pk)
    assert (await watch(prediction))[-1].status == "canceled"
    following = await dbthreads.run(ask, version, input={"seconds": 0})
    assert (await watch(following))[-1].status == "succeeded"
    assert not runner.engine.pumps


async def test_a_new_runner_takes_over_what_still_runs(make_version: Any, runners: Any) -> None:
    version = await dbthreads.run(make_version, "stream")
    first = await runners()
    prediction = await dbthreads.run(ask, version, input={"count": 30, "delay": 0.1})
    await watch(prediction, until=lambda event: event.kind == "output")
    await first.die()
    await runners()
    events = await watch(prediction)
    ended = await row(prediction)
    assert (events[-1].status, ended.tries) == ("succeeded", 1)
    assert [item for event in events for item in event.items] == [f"word{n} " for n in range(30)]
    assert len(await charged_us(prediction)) == 1


async def test_what_ended_while_the_runner_was_away_is_not_lost(make_version: Any, runners: Any) -> None:
    version = await dbthreads.run(make_version, "slow")
    first = await runners()
    prediction = await dbthreads.run(ask, version, input={"seconds": 1.5})
    await watch(prediction, until=lambda event: event.kind == "logs")
    await first.die()
    await asyncio.sleep(2.5)  # the model ends meanwhile
    await runners()
    await watch(prediction)
    ended = await row(prediction)
    assert (ended.status, ended.tries) == ("succeeded", 1)


async def test_an_instance_killed_before_any_output_is_replaced_and_the_prediction_repeated(
    make_version: Any, runners: Any
) -> None:
    version = await dbthreads.run(make_version, "slow")
    runner = await runners()
    prediction = await dbthreads.run(ask, version, input={"seconds": 1})
    await watch(prediction, until=lambda event: event.kind == "logs")
    os.killpg((await running_handle(runner)).pid, signal.SIGKILL)
    await watch(prediction)
    ended = await row(prediction)
    assert (ended.status, ended.tries) == ("succeeded", 2)
    assert "[modelyard] The instance was lost; trying again." in ended.logs
    assert len(await charged_us(prediction)) == 1


async def test_an_instance_killed_after_output_was_seen_fails_the_prediction_for_free(
    make_version: Any, runners: Any
) -> None:
    version = await dbthreads.run(make_version, "stream")
    runner = await runners()
    prediction = await dbthreads.run(ask, version, input={"count": 100, "delay": 0.1})
    await watch(prediction, until=lambda event: event.kind == "output")
    os.killpg((await running_handle(runner)).pid, signal.SIGKILL)
    await watch(prediction)
    ended = await row(prediction)
    assert (ended.status, ended.fault_class, ended.tries) == ("failed", "platform", 1)
    assert ended.output[0] == "word0 "
    assert await charged_us(prediction) == [0]


async def test_a_deadline_passed_in_the_queue_aborts_and_in_a_run_cancels(make_version: Any, runners: Any) -> None:
    version = await dbthreads.run(make_version, "slow")
    late = await dbthreads.run(ask, version, input={"seconds": 60}, deadline_seconds=0)
    await runners()
    assert (await watch(late))[-1].status in {"aborted", "canceled"}
    running = await dbthreads.run(ask, version, input={"seconds": 60}, deadline_seconds=3)
    await watch(running)
    assert (await row(running)).status == "canceled"


async def test_a_set_up_that_fails_tells_who_waits(make_version: Any, runners: Any) -> None:
    version = await dbthreads.run(make_version, "echo")
    await dbthreads.run(Version.objects.filter(pk=version.pk).update, config={"predict": "missing.py:Runner"})
    prediction = await dbthreads.run(ask, version, input={"text": "hi"})
    await runners()
    await watch(prediction)
    ended = await row(prediction)
    assert ended.status == "failed"
    assert str(ended.error).startswith("The model's set-up failed")
    assert await charged_us(prediction) == [0]


async def test_idle_instances_stop_and_leave_nothing(make_version: Any, runners: Any, settings: Settings) -> None:
    settings.IDLE_STOP_SECONDS = 0
    version = await dbthreads.run(make_version, "echo")
    runner = await runners()
    await watch(await dbthreads.run(ask, version, input={"text": "hi"}))
    async with asyncio.timeout(20):
        while await runner.backend.list_running():
            await asyncio.sleep(0.05)
        while await dbthreads.run(Instance.objects.exclude(state="stopped").exists):
            await asyncio.sleep(0.05)


async def test_webhooks_are_written_for_start_progress_and_end(make_version: Any, runners: Any) -> None:
    version = await dbthreads.run(make_version, "stream")
    await runners()
    asked = {"webhook": "https://hooks.example.test/", "webhook_events": ["start", "output", "completed"]}
    prediction = await dbthreads.run(ask, version, input={"count": 20, "delay": 0.1}, **asked)
    await watch(prediction)
    events = await dbthreads.run(
        lambda: list(WebhookDelivery.objects.order_by("created_at").values_list("event", flat=True))
    )
    assert (events[0], events[-1], events.count("completed")) == ("start", "completed", 1)
    assert 2 <= events.count("output") <= 5  # about 2 s of output, at most one message in 500 ms


@pytest.mark.parametrize("steps", range(6))
async def test_a_stop_is_not_lost_when_work_arrives_at_the_same_moment(runners: Any, steps: int) -> None:
    runner = await runners()
    runner.engine.wake()
    runner.engine.fleet.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    runner.engine.stop()
    async with asyncio.timeout(10):
        await runner._task
