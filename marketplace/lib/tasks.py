"""Ending asyncio tasks for certain."""

import asyncio
from collections.abc import Collection
from typing import Any

_AGAIN_SECONDS = 0.5


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel the tasks and wait until all have ended; what they raise stays in them.

    More than once, where once is not enough: until Python 3.12 `asyncio.wait_for`, which the client of Redis uses,
    forgets a cancellation that comes in the moment in which what it waits for is there.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
