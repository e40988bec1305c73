"""A small pool of long-lived threads through which async code reaches the database.

Under ASGI, Django gives every request a thread, and so a connection, of its own. The threads here keep
their connections open instead. Nothing that runs in them may span an `await`: pass a whole verb.
"""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
T = TypeVar("T")


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.DB_THREADS, thread_name_prefix="db")


def _call(function: Callable[[], T]) -> T:
    try:
        return function()
    except (OperationalError, InterfaceError):
        # The server went away or was restarted: the next call starts with a fresh connection.
        connection.close()
        raise


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a sync function that uses the ORM in one of the database threads and await its result."""
    call = functools.partial(function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_pool(), _call, call)


def close() -> None:
    """End the threads, and with them their connections. The next call starts new ones."""
    _pool().shutdown(wait=True)
    _pool.cache_clear()
