"""Group commit: gathers what arrives while the last commit is under way into one transaction.

Commits are the cost of the hot path. `GroupCommit(write_many)` takes single items from many coroutines; each caller
is answered after the transaction that holds its item has committed.  Source: design.md, "Speed".
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from django.db import transaction

from marketplace.lib import dbthreads

Item = TypeVar("Item")
Result = TypeVar("Result")
_LARGEST_BATCH = 200


class GroupCommit(Generic[Item, Result]):
    """One writer of one kind of row in one event loop."""

    def __init__(self, write_many: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        """write_many: sync, set-based, called inside a transaction; returns one result for each item, in order."""
        self._write_many = write_many
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._flusher: asyncio.Task[None] | None = None

    async def add(self, item: Item) -> Result:
        """Write the item; returns its result once that is durable. Raises what writing it alone raises."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
                await self._write(batch)
        finally:
            self._flusher = None

    async def _write(self, batch: "list[tuple[Item, asyncio.Future[Result]]]") -> None:
        try:
            results = await dbthreads.run(self._commit, [item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the caller whose item caused it
            if len(batch) > 1:  # one bad row must not fail the others
                for entry in batch:
                    await self._write([entry])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)

    def _commit(self, items: Sequence[Item]) -> Sequence[Result]:
        with transaction.atomic():
            return self._write_many(items)
