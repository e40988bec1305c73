"""A runner process's worth of engine for tests, and what one does with it: ask, watch, look.

"The runner died" means that its tasks are dropped without a goodbye. The fixtures are in `conftest`.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from billing.models import UsageRecord
from marketplace.lib import dbthreads, tasks
from models_catalog.models import Version
from runner import streams
from runner.backends.base import Handle
from runner.backends.process import ProcessBackend
from runner.engine.loop import Engine
from runner.events import Event
from runner.models import Prediction
from tests.runner.factories import make_prediction

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
        own = [task for task in [*self.engine._tasks, self._task] if task]
        await tasks.end(own)
        await self.engine.callbacks.close()
        for instance in self.engine.instances.values():
            if instance.coglet:
                await instance.coglet.close()


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
