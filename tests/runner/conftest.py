"""Real instances of the tiny models in tests/cog_models, and a real listener for their webhooks."""

import asyncio
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from runner.backends.base import Handle, InstanceSpec
from runner.backends.process import ProcessBackend
from runner.callbacks import CallbackListener
from runner.coglet import Coglet, Unreachable

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
