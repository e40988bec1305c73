"""How long to go on: with writes while the database is away for a moment, with what a model runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from runner.pools import Pool

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.5

Stored = TypeVar("Stored")


async def until_stored(write: Callable[[], Awaitable[Stored]]) -> Stored:
    """Write, again and again while the database is away. It may happen twice: the first answer can get lost."""
    while True:
        try:
            return await write()
        except (OperationalError, InterfaceError) as error:
            log.warning("waiting_for_the_database", error=str(error).strip())
            await asyncio.sleep(_RETRY_SECONDS)


def time_limit_seconds(pool: Pool) -> float:
    """How long one run may take; 0 for no limit.  Source: replicate-api.md 3.4."""
    return settings.TRAINING_TIMEOUT_SECONDS if pool.is_training else settings.PREDICTION_TIMEOUT_SECONDS
