"""The engine on real instances: what happens to predictions, whatever dies.

Each test has an engine of its own; "the runner died" means that its tasks are dropped without a goodbye.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pytest_django.fixtures import Settings

from billing.models import UsageRecord
from marketplace.lib import dbthreads
from models_catalog.models import Version
from runner import predictions, streams
from runner.backends.base import Handle
from runner.backends.process import ProcessBackend
from runner.engine.loop import Engine
from runner.events import Event
from runner.models import Instance, Prediction, WebhookDelivery
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import make_prediction

pytestmark = [pytest.mark.django_db(transaction=True, serialized_rollback=True), pytest.mark.slow]
COG_MODELS = Path(__file__).parents[1] / "cog_models"
GENERATOR = Path(__file__).parents[2] / "runner" / "build_tools" / "schema_generator.py"
_documents: dict[str, dict[str, Any]] = {}


def document_of(model: str) -> dict[str, Any]:
    """The model's generated schema, once per session."""
    if model not in _documents:
        with tempfile.NamedTemporaryFile() as out:
            command = [sys.executable, str(GENERATOR), str(COG_MODELS / model), "--out", out.name]
            subprocess.run(command, check=True, env={"PATH": f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"})
            _documents[model] = json.loads(Path(out.name).read_text())
    return _documents[model]


@pytest.fixture
def make_version(settings: Settings) -> Callable[..., Version]:
    """A version of a model in tests/cog_models, its environment this Python's own."""

    def make(model: str, **columns: Any) -> Version:
        document = document_of(model)
        version: Version = VersionFactory.create(
            openapi_schema=document["schema"],
            max_concurrency=document["max_concurrency"] or 1,
            config={"predict": "predict.py:Runner"},
            model__hardware="cpu-small",
            **columns,
        )
        folder = settings.ENVIRONMENTS_DIR / version.pk
        shutil.copytree(COG_MODELS / model, folder / "source")
        (folder / "source" / ".cog").mkdir(exist_ok=True)
        (folder / "source" / ".cog" / "openapi_schema.json").write_text(json.dumps(document["schema"]))
        (folder / "venv").symlink_to(sys.prefix)
        return version

    return make


class Runner:
    """One runner process's worth of engine, which may die."""

    def __init__(self, folder: Path) -> None:
        self.backend = ProcessBackend(folder, sandboxed=False)
        self.engine = Engine(self.backend)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> "Runner":
        self._task = asyncio.create_task(self.engine.run())
        async with asyncio.timeout(20):
            while not hasattr(self.engine, "host") or self.engine.callbacks.is_adopting:
                await asyncio.sleep(0.02)
        return self

    async def die(self) -> None:
        """Drop everything where it stands. (Only the listener's port would a dead process free by itself.)"""
        tasks = [task for task in [*self.engine._tasks, self._task] if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.engine.callbacks.close()
        for instance in self.engine.instances.values():
            if instance.coglet:
                await instance.coglet.close()


@pytest_asyncio.fixture
async def runners(settings: Settings, tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[Runner]]]:
    """Start a runner; the next one finds what the one before left."""
    folder = Path(tempfile.mkdtemp(prefix="my-", dir="/tmp"))
    settings.VAR_DIR, settings.ENVIRONMENTS_DIR = tmp_path, tmp_path / "environments"
    settings.CANCEL_GRACE_SECONDS = 2
    started: list[Runner] = []

    async def start() -> Runner:
        runner = Runner(folder)
        started.append(runner)
        return await runner.start()

    yield start
    for runner in started:
        await runner.die()
    for handle in await ProcessBackend(folder, sandboxed=False).list_running():
        await ProcessBackend(folder, sandboxed=False).stop(handle, grace_seconds=0)
    shutil.rmtree(folder, ignore_errors=True)


def ask(version: Version, **given: Any) -> Prediction:
    """Queue a prediction as its owner would."""
    return make_prediction(version, input=given.pop("input", {}), **given)


async def watch(
    prediction: Prediction, *, until: Callable[[Event], bool] = lambda event: event.kind == "done"
) -> list[Event]:
    """The events up to the one asked for."""
    seen: list[Event] = []
    async with asyncio.timeout(40):
        async for event in streams.follow(prediction.pk):
            if event:
                seen.append(event)
                if until(event):
                    break
    return seen


async def row(prediction: Prediction) -> Prediction:
    return await dbthreads.run(Prediction.objects.get, pk=prediction.pk)


async def charged_us(prediction: Prediction) -> list[int]:
    """Quantities of its usage records."""
    records = UsageRecord.objects.filter(subject=f"prediction/{prediction.pk}").values_list("quantity", flat=True)
    return await dbthreads.run(lambda: list(records))


async def running_handle(runner: Runner) -> Handle:
    return (await runner.backend.list_running())[0]


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
