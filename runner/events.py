"""What happens to a prediction while somebody watches, and how far a watcher has got.

The state that is streamed is three counters that only grow: output items, log characters, and the stage. Each event
says where it starts, so a watcher drops what it has and sees a gap; and any snapshot, in a runner's memory or in the
row, can be turned into the events after a position.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Position:
    """How much of a prediction somebody has seen."""

    outputs: int = 0  # items of an iterator's output
    logs: int = 0  # characters
    stage: int = 0  # 0 starting, 1 processing, 2 ended


@dataclass(frozen=True, slots=True)
class Event:
    """One step. kind: status, output, logs or done; `at` is where its items or characters start."""

    kind: str
    at: int = 0
    items: list[Any] = field(default_factory=list)  # output
    text: str = ""  # logs
    status: str = ""  # status, done
    ended: dict[str, Any] = field(default_factory=dict)  # done: output, error, metrics, times, as the API shows them

    def to_dict(self) -> dict[str, Any]:
        """For the channel layer and websockets."""
        return asdict(self)


@dataclass(slots=True)
class Snapshot:
    """All that a watcher may see of a prediction at one moment."""

    stage: int
    status: str
    outputs: list[Any]  # items of an iterator's output so far; empty for other outputs
    logs: str
    ended: dict[str, Any]  # empty until it ended


def advance(position: Position, event: Event) -> tuple[Position, Event | None]:
    """Apply an event to a position: the new position and what of the event is news, None if nothing.

    Raises Gap when events before this one were missed.
    """
    match event.kind:
        case "output":
            if event.at > position.outputs:
                raise Gap
            news = event.items[position.outputs - event.at :]
            moved = Position(position.outputs + len(news), position.logs, max(position.stage, 1))
            return moved, Event("output", at=position.outputs, items=news) if news else None
        case "logs":
            if event.at > position.logs:
                raise Gap
            text = event.text[position.logs - event.at :]
            moved = Position(position.outputs, position.logs + len(text), position.stage)
            return moved, Event("logs", at=position.logs, text=text) if text else None
        case "status":
            stage = 1 if event.status == "processing" else 0
            is_news = stage > position.stage
            return Position(position.outputs, position.logs, max(stage, position.stage)), event if is_news else None
        case "done":
            if event.ended.get("outputs", 0) > position.outputs or event.ended.get("logs", 0) > position.logs:
                raise Gap
            is_news = position.stage < 2
            return Position(position.outputs, position.logs, 2), event if is_news else None
    raise ValueError(f"Unknown kind of event: {event.kind}")


class Gap(Exception):
    """Something was missed: ask for a replay."""


def replay(snapshot: Snapshot, after: Position) -> Iterator[Event]:
    """The events that lead from a position to a snapshot, the last event included for an ended prediction."""
    if snapshot.stage >= 1 and after.stage < 1 and snapshot.status != "aborted":
        yield Event("status", status="processing")
    if len(snapshot.logs) > after.logs:
        yield Event("logs", at=after.logs, text=snapshot.logs[after.logs :])
    if len(snapshot.outputs) > after.outputs:
        yield Event("output", at=after.outputs, items=snapshot.outputs[after.outputs :])
    if snapshot.stage == 2:
        yield done(snapshot)


def done(snapshot: Snapshot) -> Event:
    """The last event. It names the final counts, so that a watcher who lacks some sees the gap."""
    counts = {"outputs": len(snapshot.outputs), "logs": len(snapshot.logs)}
    return Event("done", status=snapshot.status, ended={**snapshot.ended, **counts})
