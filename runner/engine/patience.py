"""Writes that must not get lost because the database is away for a moment."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError

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
