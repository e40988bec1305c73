"""Watch a prediction: join its channel group, replay what came before, then follow, without loss or repeat.

Runners publish events to the group and answer requests for a replay of what they hold in memory; for all else the
row is the answer. Websocket, server-sent events and `Prefer: wait` are renderings of `follow` and `wait_ended`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import redis
import structlog
from channels.layers import get_channel_layer

from marketplace.lib import dbthreads, wakeups
from runner.events import Event, Gap, Position, Snapshot, advance, done, replay
from runner.models import Prediction
from runner.states import Status

log = structlog.get_logger(__name__)

_QUIET_SECONDS = 3.0  # silence after which a watcher looks for itself
_REPLAY_SECONDS = 0.5  # how long the runner that owns a prediction has to answer


def group_of(prediction_id: str) -> str:
    """The channel group of a prediction."""
    return f"prediction.{prediction_id}"


async def publish(prediction_id: str, events: Iterable[Event]) -> None:
    """Send events to whoever watches. What is lost, watchers ask for."""
    layer = get_channel_layer()
    assert layer is not None
    message = {"type": "prediction.events", "events": [event.to_dict() for event in events]}
    try:
        await layer.group_send(group_of(prediction_id), message)
    except (redis.RedisError, OSError) as error:
        log.warning("events_lost", prediction=prediction_id, error=str(error))


class Watch:
    """Membership of a prediction's group, from `async with` to its end."""

    def __init__(self, prediction_id: str) -> None:
        self.prediction_id = prediction_id
        self._layer: Any = get_channel_layer()
        self.channel = ""

    async def __aenter__(self) -> "Watch":
        self.channel = await self._layer.new_channel()
        await self._layer.group_add(group_of(self.prediction_id), self.channel)
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            await self._layer.group_discard(group_of(self.prediction_id), self.channel)

    async def next_events(self, timeout: float) -> list[Event]:
        """The next message's events; an empty list when it was quiet for `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                message = await self._layer.receive(self.channel)
        except TimeoutError:
            return []
        return [Event(**event) for event in message["events"]]

    async def replay(self, after: Position) -> AsyncIterator[Event]:
        """What came before, from the runner that has it live (through the group), else from the row."""
        snapshot = await dbthreads.run(load_snapshot, self.prediction_id)
        if snapshot is None:
            return
        if snapshot.stage == 1:
            request = {"type": "replay", "id": self.prediction_id, "after": [after.outputs, after.logs, after.stage]}
            await wakeups.send(wakeups.RUNNERS, request)
            events = await self.next_events(_REPLAY_SECONDS)
            for event in events:
                yield event
            if events:
                return
            snapshot = await dbthreads.run(load_snapshot, self.prediction_id) or snapshot
        for event in replay(snapshot, after):
            yield event


def load_snapshot(prediction_id: str) -> Snapshot | None:
    """What the row says, None where there is no such prediction."""
    prediction = Prediction.objects.filter(pk=prediction_id).first()
    return None if prediction is None else snapshot_of(prediction)


def snapshot_of(prediction: Prediction) -> Snapshot:
    """A row as watchers see it."""
    outputs = prediction.output if prediction.is_streamed and isinstance(prediction.output, list) else []
    ended: dict[str, Any] = {}
    if prediction.is_terminal:
        ended = {
            "output": None if prediction.is_streamed else prediction.output,
            "error": prediction.error,
            "metrics": prediction.metrics,
            "started_at": prediction.started_at.isoformat() if prediction.started_at else None,
            "completed_at": prediction.completed_at.isoformat() if prediction.completed_at else None,
        }
    return Snapshot(prediction.stage, prediction.status, outputs, prediction.logs, ended)


def last_event(prediction: Prediction) -> Event:
    """The `done` event of an ended prediction."""
    return done(snapshot_of(prediction))


async def follow(
    prediction_id: str, after: Position | None = None, *, quiet_seconds: float = _QUIET_SECONDS
) -> AsyncIterator[Event | None]:
    """Every event after the position, each once and in order, to the last. None means it was quiet for a while.

    Ends after the `done` event, or when there is no such prediction.
    """
    position = after or Position()
    async with Watch(prediction_id) as watch:
        must_replay = True
        while position.stage < 2:
            if must_replay:
                incoming = [event async for event in watch.replay(position)]
                if not incoming and await dbthreads.run(load_snapshot, prediction_id) is None:
                    return
                must_replay = False
            else:
                incoming = await watch.next_events(quiet_seconds)
                must_replay = not incoming
                if must_replay:
                    yield None
            for event in incoming:
                try:
                    position, news = advance(position, event)
                except Gap:
                    must_replay = True
                    break
                if news:
                    yield news


@dataclass(frozen=True, slots=True)
class Ended:
    """How a prediction ended, and what was seen of it; both None where something was missed: then the row knows."""

    event: Event
    outputs: list[Any] | None = None
    logs: str | None = None


async def wait_ended(watch: Watch, timeout_seconds: float) -> Ended | None:
    """Wait for the end of a prediction whose group was joined before it was created; None on expiry.

    Source: replicate-api.md 3.5.
    """
    loop = asyncio.get_running_loop()
    position = Position()
    outputs: list[Any] = []
    logs: list[str] = []
    until = loop.time() + timeout_seconds
    while (left := until - loop.time()) > 0:
        events = await watch.next_events(min(left, _QUIET_SECONDS))
        for event in events:
            try:
                position, news = advance(position, event)
            except Gap:  # the position stays behind for good
                news = None
            if news:
                outputs += news.items
                logs.append(news.text)
            if event.kind == "done":
                return Ended(event, outputs, "".join(logs)) if news else Ended(event)
        snapshot = None if events else await dbthreads.run(load_snapshot, watch.prediction_id)
        if snapshot and snapshot.stage == 2:
            return Ended(Event("done", status=Status(snapshot.status), ended=snapshot.ended))
    return None
