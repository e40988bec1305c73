"""Watch a build: its log from any character on, its status, its end. The row is the truth, the channel group the hurry.

As with predictions (`runner.events`), a watcher's position is the number of characters it has: what it has is dropped,
a gap is filled from the row.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from marketplace.lib import dbthreads
from runner.models import Build

_QUIET_SECONDS = 3.0
ENDED = frozenset({Build.Status.SUCCEEDED, Build.Status.FAILED})


@dataclass(frozen=True, slots=True)
class BuildEvent:
    """One step. kind: log (`text` starts at character `at`), status, done (`at` characters in all; `error`, if any)."""

    kind: str
    at: int = 0
    text: str = ""
    status: str = ""
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For the channel layer and websockets."""
        return asdict(self)


def group_of(build_id: int) -> str:
    """The channel group of a build."""
    return f"build.{build_id}"


def publish(build_id: int, event: BuildEvent) -> None:
    """Tell whoever watches; from sync code. A layer that is down is forgiven: watchers look for themselves."""
    layer = get_channel_layer()
    assert layer is not None
    with contextlib.suppress(OSError, RedisError):
        async_to_sync(layer.group_send)(group_of(build_id), {"type": "build.event", "event": event.to_dict()})


def events_after(build_id: int, characters: int) -> list[BuildEvent] | None:
    """From the row: what leads from a position to now. None where there is no such build."""
    build = Build.objects.filter(pk=build_id).first()
    if build is None:
        return None
    log = build.log[characters:]
    events = [BuildEvent("log", at=characters, text=log)] if log else []
    if build.status in ENDED:
        return [*events, BuildEvent("done", at=len(build.log), status=build.status, error=build.error)]
    return [BuildEvent("status", status=build.status), *events]


async def follow(build_id: int, after: int = 0) -> AsyncIterator[BuildEvent | None]:
    """Every event after `after` characters of log, once and in order, to `done`. None: it was quiet for a while.

    Ends at once where there is no such build.
    """
    layer: Any = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group_of(build_id), channel)
    try:
        must_look, seen, status = True, after, ""
        while True:
            incoming = await dbthreads.run(events_after, build_id, seen) if must_look else await _next(layer, channel)
            if incoming is None:
                return
            if not must_look and not incoming:
                yield None
            must_look = not must_look and not incoming  # after silence, look once
            for event in incoming:
                if event.kind != "status" and event.at > seen:
                    must_look = True  # something was missed
                    break
                if event.kind == "log":
                    news = event.text[seen - event.at :]
                    if news:
                        yield BuildEvent("log", at=seen, text=news)
                    seen += len(news)
                elif event.kind == "done" or event.status != status:
                    status = event.status
                    yield event
                if event.kind == "done":
                    return
    finally:
        with contextlib.suppress(OSError, RedisError):
            await layer.group_discard(group_of(build_id), channel)


async def _next(layer: Any, channel: str) -> list[BuildEvent]:
    try:
        async with asyncio.timeout(_QUIET_SECONDS):
            message = await layer.receive(channel)
    except TimeoutError:
        return []
    return [BuildEvent(**message["event"])]
