"""What watchers may see of one running prediction: coglet's progress with secrets masked and files stored.

Raw positions and shown ones differ (masking changes lengths), so the engine counts what it shows by itself.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from runner.events import Event, Position, Snapshot, replay
from runner.secret_inputs import mask

StoreFile = Callable[[str], Awaitable[str]]  # a data URI → the address of the stored file
_TRUNCATED = "\n[modelyard] The log was cut here: it reached its largest size.\n"


class Shown:
    """Items, logs and stage so far; grows only."""

    def __init__(self, *, store_file: StoreFile, secret_values: list[str], max_log_characters: int) -> None:
        self.items: list[Any] = []
        self.logs = ""
        self._store_file = store_file
        self._secrets = secret_values
        self._log_limit = max_log_characters
        self._is_cut = False

    def resume(self, items: list[Any], logs: str) -> None:
        """Start from what the row has, after a runner's restart."""
        self.items = list(items)
        self.logs = logs

    def add_logs(self, text: str) -> Event | None:
        """More log text; None when the log is full."""
        if self._is_cut:
            return None
        text = mask(text, self._secrets).replace("\x00", "\ufffd")
        if len(self.logs) + len(text) > self._log_limit:
            self._is_cut = True
            text = text[: self._log_limit - len(self.logs)] + _TRUNCATED
        event = Event("logs", at=len(self.logs), text=text)
        self.logs += text
        return event

    async def add_items(self, at: int, items: list[Any]) -> Event | None:
        """More items of an iterator's output; those that are known (a replay after a restart) are dropped."""
        fresh = items[max(0, len(self.items) - at) :]
        if not fresh:
            return None
        start = len(self.items)
        self.items.extend([await self.final(item) for item in fresh])
        return Event("output", at=start, items=self.items[start:])

    async def final(self, value: Any) -> Any:
        """A value as it is stored and shown: files at any depth, in order, replaced by their addresses.

        Source: cog-runtime.md 4.8, checklist 35.
        """
        match value:
            case str() if value.startswith("data:") and ";base64," in value[:300]:
                return await self._store_file(value)
            case str():
                return self.masked(value)
            case list():
                return [await self.final(item) for item in value]
            case dict():
                return {key: await self.final(item) for key, item in value.items()}
        return value

    def masked(self, value: Any) -> Any:
        """A value without secrets, at any depth: a model's error may quote what it was given."""
        match value:
            case str():
                return mask(value, self._secrets)
            case list():
                return [self.masked(item) for item in value]
            case dict():
                return {key: self.masked(item) for key, item in value.items()}
        return value

    def snapshot(self) -> Snapshot:
        """For replays while it runs."""
        return Snapshot(1, "processing", self.items, self.logs, {})

    def replay(self, after: Position) -> list[Event]:
        """The events after a position."""
        return list(replay(self.snapshot(), after))
