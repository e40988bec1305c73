"""Wake-ups between processes over Redis: messages that may be lost, because a sweep finds the same work.

A message is a small JSON object: `type` says what happened, the rest are ids, never data. Two audiences exist:
every runner, and every web process. (Celery tasks are woken by their own `delay`.)
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache, partial
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import redis
import redis.asyncio
import structlog
from django.conf import settings
from django.db import transaction

log = structlog.get_logger(__name__)

RUNNERS = "modelyard.runners"  # new work, cancellations, requests for a replay
WEB = "modelyard.web"  # things a web process should forget

_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


@lru_cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


def _async_client() -> redis.asyncio.Redis:
    """One client per event loop: connections can't move between loops."""
    loop = asyncio.get_running_loop()
    if loop not in _async_clients:
        _async_clients[loop] = redis.asyncio.Redis.from_url(settings.REDIS_URL, protocol=settings.REDIS_PROTOCOL)
    return _async_clients[loop]


async def send(audience: str, message: Mapping[str, Any]) -> None:
    """Tell the audience now. A broker that is down is logged and forgiven."""
    try:
        await _async_client().publish(audience, orjson.dumps(dict(message)))
    except (redis.RedisError, OSError) as error:
        log.warning("wakeup_lost", audience=audience, type=message["type"], error=str(error))


def _send_now(audience: str, message: Mapping[str, Any]) -> None:
    try:
        _client().publish(audience, orjson.dumps(dict(message)))
    except (redis.RedisError, OSError) as error:
        log.warning("wakeup_lost", audience=audience, type=message["type"], error=str(error))


def send_after_commit(audience: str, message: Mapping[str, Any]) -> None:
    """From sync code: tell the audience once the current transaction has committed (at once where there is none)."""
    transaction.on_commit(partial(_send_now, audience, message))


async def listen(audience: str) -> AsyncIterator[dict[str, Any]]:
    """Every message to the audience from now on.

    After a lost connection it goes on, and first yields `{"type": "reconnected"}`.
    """
    first = True
    while True:
        try:
            async with _async_client().pubsub(ignore_subscribe_messages=True) as pubsub:
                await pubsub.subscribe(audience)
                if not first:
                    yield {"type": "reconnected"}
                first = False
                async for message in pubsub.listen():
                    yield orjson.loads(message["data"])
        except (redis.RedisError, OSError) as error:
            log.warning("wakeups_disconnected", audience=audience, error=str(error))
            first = False
            with contextlib.suppress(TimeoutError):
                await asyncio.sleep(0.5)
