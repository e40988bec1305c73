"""`/health`: which part is up and which is down. 200 when all are, 503 when any is not.

The workers prove themselves by marks in the cache that their periodic tasks renew; the runner by its host's row.
"""

import asyncio
import datetime
from collections.abc import Callable

import structlog
from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse
from redis import RedisError

from marketplace.lib import dbthreads
from marketplace.lib.endpoints import json_answer
from runner.models import Host
from runner.tasks import DELIVERIES_SEEN, WORKER_SEEN

log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 3.0
_RUNNER_SILENT_SECONDS = 15


async def health(request: HttpRequest) -> HttpResponse:
    """`{"status": "ok"|"degraded", "parts": {name: "up"|"down"}}`."""
    checks = {"database": _database, "redis": _redis, "runner": _runner, "worker": _worker, "deliveries": _deliveries}
    states = await asyncio.gather(*(_is_up(name, check) for name, check in checks.items()))
    parts = {name: "up" if is_up else "down" for name, is_up in zip(checks, states, strict=True)}
    document = {"status": "ok" if all(states) else "degraded", "parts": parts}
    return json_answer(document, 200 if all(states) else 503, {"Cache-Control": "no-store"})


async def _is_up(name: str, check: Callable[[], bool]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await dbthreads.run(check)
    except (DatabaseError, RedisError, OSError, TimeoutError) as error:
        log.warning("part_is_down", part=name, error=str(error))
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return bool(cursor.fetchone() == (1,))


def _redis() -> bool:
    cache.set("health", 1, timeout=10)
    return bool(cache.get("health") == 1)


def _runner() -> bool:
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=_RUNNER_SILENT_SECONDS)
    return Host.objects.filter(last_seen_at__gte=since).exists()


def _worker() -> bool:
    return cache.get(WORKER_SEEN) is not None


def _deliveries() -> bool:
    return cache.get(DELIVERIES_SEEN) is not None
