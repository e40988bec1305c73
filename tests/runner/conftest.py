"""Real instances of the tiny models in tests/cog_models, and a real listener for their webhooks."""

import asyncio
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pytest_django.fixtures import Settings

from models_catalog.models import Version
from runner.backends.base import Handle, InstanceSpec
from runner.backends.process import ProcessBackend
from runner.callbacks import CallbackListener
from runner.coglet import Coglet, Unreachable
from tests.models_catalog.factories import VersionFactory
from tests.runner.engines import Runner, document_of

COG_MODELS = Path(__file__).parents[1] / "cog_models"

ServeModel = Callable[..., Awaitable[Handle]]


@pytest.fixture(scope="module")
def short_dir() -> Iterator[Path]:
    """A folder with a short path: sockets live below it."""
    folder = Path(tempfile.mkdtemp(prefix="my-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., InstanceSpec]:
    """A spec for a model of tests/cog_models in this Python's own environment."""

    def make(model: str, **changes: Any) -> InstanceSpec:
        values: dict[str, Any] = {
            "instance_id": f"{model}-{secrets.token_hex(4)}",
            "version_id": model,
            "environment_dir": Path(sys.prefix),
            "source_dir": COG_MODELS / model,
            "reference": "predict.py:Runner",
            "nonce": secrets.token_hex(16),
        }
        return InstanceSpec(**{**values, **changes})

    return make


@pytest.fixture(scope="module")
def serve_model(short_dir: Path, make_spec: Callable[..., InstanceSpec]) -> Iterator[ServeModel]:
    """`await serve_model("echo")` gives the handle of a plain instance that is set up.

    One per model and settings in a module.
    """
    backend, served = ProcessBackend(short_dir / "served", sandboxed=False), dict[str, Handle]()

    async def serve(model: str, *, until: str = "READY", **changes: Any) -> Handle:
        key = f"{model} {changes}"
        if key not in served:
            served[key] = await backend.start(make_spec(model, **changes))
            await wait_for_health(served[key], until)
        return served[key]

    yield serve
    for handle in served.values():
        asyncio.run(backend.stop(handle, grace_seconds=0))


@pytest_asyncio.fixture
async def listener() -> AsyncIterator[CallbackListener]:
    """Takes webhooks on loopback."""
    listener = CallbackListener()
    await listener.open()
    listener.adoption_done()
    yield listener
    await listener.close()


@pytest.fixture
def make_version(settings: Settings) -> Callable[..., Version]:
    """A version of a model in tests/cog_models, its environment this Python's own."""

    def make(model: str, /, **columns: Any) -> Version:
        document = document_of(model)
        version: Version = VersionFactory.create(
            openapi_schema=document["schema"],
            max_concurrency=document["max_concurrency"] or 1,
            config={"predict": "predict.py:Runner", "train": "train.py:train"},
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


async def wait_for_health(handle: Handle, status: str) -> None:
    """Until its health says so; 20 s at most."""
    async with asyncio.timeout(20), Coglet(handle.endpoint) as coglet:
        while True:
            try:
                if (await coglet.health()).status == status:
                    return
            except Unreachable:
                pass
            await asyncio.sleep(0.02)
