"""What is known of one prediction: events in any order, doubled or late, go in; only news comes out.

Streams and webhooks tell the same story in different pieces.  A position (number of output items, number of log
characters) decides what is new, so the two may be mixed freely.  The first end is final.
Source: cog-runtime.md 4.9 ("further on" only), checklist 33, 34, 41.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from runner.cog_events import (
    Broken,
    CogEvent,
    Completed,
    Log,
    Metric,
    Output,
    Snapshot,
    Started,
)


@dataclass(frozen=True, slots=True)
class NewOutput:
    """Items of an array output. at: the first one's index."""

    at: int
    items: list[Any]


@dataclass(frozen=True, slots=True)
class NewLogs:
    """More log text. at: its offset in characters."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class NewMetrics:
    """All metrics as they are now."""

    metrics: Mapping[str, Any]


Delta: TypeAlias = NewOutput | NewLogs | NewMetrics | Completed


@dataclass(slots=True)
class Progress:
    """Merges the events of one prediction.

    has_items: the schema's Output is an array (else partial output means nothing).
    """

    has_items: bool
    began: bool = False
    items: list[Any] = field(default_factory=list)
    log_chars: int = 0
    metrics: Mapping[str, Any] = field(default_factory=dict)
    ended: Completed | None = None
    _log_parts: list[str] = field(default_factory=list)
    _stream_log_chars: int = 0
    _stream_metrics: dict[str, Any] = field(default_factory=dict)
    _stream_metric_calls: int = 0
    _metric_calls: int = 0

    @property
    def logs(self) -> str:
        """All log text so far."""
        if len(self._log_parts) > 1:
            self._log_parts = ["".join(self._log_parts)]
        return self._log_parts[0] if self._log_parts else ""

    def feed(self, event: CogEvent) -> list[Delta]:
        """Take one event and give what it adds, in the order to publish; nothing after the end.

        A Completed comes out at most once and is made whole: what was seen stays when the end carries less
        (a crashed worker loses logs and partial output).  The error is coglet's raw text.
        """
        if self.ended:
            return []
        self.began = True
        match event:
            case Started():
                # Each attach replays from the first event, so the stream's own positions start over.
                (
                    self._stream_log_chars,
                    self._stream_metrics,
                    self._stream_metric_calls,
                ) = 0, {}, 0
                return []
            case Output():
                return self._take_items([event.value], at=event.index)
            case Log():
                at, self._stream_log_chars = (
                    self._stream_log_chars,
                    self._stream_log_chars + len(event.text),
                )
                return self._take_logs(event.text, at=at)
            case Metric():
                return self._take_metric_call(event)
            case Snapshot():
                news = self._take_logs(event.logs, at=0) + self._take_items(event.output, at=0)
                return news + (self._take_metrics(event.metrics) if news else [])
            case Completed():
                return self._end(event)
            case Broken():
                return []

    def _take_items(self, items: list[Any], *, at: int) -> list[Delta]:
        known = len(self.items)
        # `at` beyond what is known is a gap: wait for a later event that tells the whole.
        if not self.has_items or at > known or at + len(items) <= known:
            return []
        fresh = items[known - at :]
        self.items.extend(fresh)
        return [NewOutput(known, fresh)]

    def _take_logs(self, text: str, *, at: int) -> list[Delta]:
        known = self.log_chars
        if at > known or at + len(text) <= known:
            return []
        fresh = text[known - at :]
        self._log_parts.append(fresh)
        self.log_chars += len(fresh)
        return [NewLogs(known, fresh)]

    def _take_metric_call(self, event: Metric) -> list[Delta]:
        _apply_metric(self._stream_metrics, event)
        self._stream_metric_calls += 1
        if self._stream_metric_calls <= self._metric_calls:  # a replay of calls already counted
            return []
        self._metric_calls = self._stream_metric_calls
        return self._take_metrics(_nested(self._stream_metrics))

    def _take_metrics(self, metrics: Mapping[str, Any]) -> list[Delta]:
        if metrics == self.metrics:
            return []
        self.metrics = metrics
        return [NewMetrics(metrics)]

    def _end(self, event: Completed) -> list[Delta]:
        items = event.output if isinstance(event.output, list) else []
        news = self._take_logs(event.logs, at=0) + self._take_items(items, at=0)
        metrics = event.metrics if len(event.metrics) >= len(self.metrics) else {**self.metrics, **event.metrics}
        news += self._take_metrics(metrics)
        output = event.output
        if self.has_items and (event.status == "succeeded" or self.items):
            output = list(self.items)
        self.ended = replace(event, output=output, logs=self.logs, metrics=metrics)
        return [*news, self.ended]


def _apply_metric(metrics: dict[str, Any], event: Metric) -> None:
    if event.mode == "increment" and event.name in metrics:
        metrics[event.name] += event.value
    elif event.mode == "append":
        metrics[event.name] = [*metrics.get(event.name, []), event.value]
    elif event.value is None:
        metrics.pop(event.name, None)
    else:
        metrics[event.name] = event.value


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"timing.inner": 1}` as `{"timing": {"inner": 1}}`, as webhooks have it.  Source: cog-runtime.md 2.5."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, leaf = name.split(".")
        place = nested
        for parent in parents:
            child = place.get(parent)
            place[parent] = place = child if isinstance(child, dict) else {}
        place[leaf] = value
    return nested
