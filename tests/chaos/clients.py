"""Clients that want one prediction each, all at once, as sensible programs do: what fails on the way is tried again.

A creation whose answer was lost is repeated, so there may be rows that no client knows; the database is the truth.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from tests.plugins.live_site import LiveSite

Result = TypeVar("Result")
CHUNKS = 12
_ENDED = {"succeeded", "failed", "canceled", "aborted"}
_AGAIN_SECONDS = 0.3
_POLL_SECONDS = (0.3, 0.6, 1.0, 1.5)


@dataclass
class Told:
    """What one client learned of its prediction. items: of its event stream, by index."""

    kind: str
    document: dict[str, Any] = field(default_factory=dict)
    items: dict[int, str] = field(default_factory=dict)
    last_event_id: str = ""
    repeated: int = 0  # items that came twice

    def take(self, event: dict[str, str]) -> None:
        """One item of the stream."""
        self.last_event_id = event["id"]
        index = int(event["id"].partition(":")[2])
        self.repeated += index in self.items
        self.items[index] = event["data"]


class Clients:
    """`run` makes them all; `told` fills as they go."""

    def __init__(self, site: LiveSite, versions: dict[str, str], webhook: str) -> None:
        self.told: list[Told] = []
        self._site, self._versions, self._webhook = site, versions, webhook

    async def run(self, count: int = 200) -> None:
        """Until each has its end. Of ten: six quick ones (half of them waited for), two streams, two slow ones."""
        kinds = ("echo", "wait", "stream", "echo", "wait", "slow", "echo", "stream", "wait", "slow")
        headers = {"Authorization": f"Bearer {self._site.token}"}
        timeout = aiohttp.ClientTimeout(total=65, sock_connect=5)
        connector = aiohttp.TCPConnector(limit=0)
        session = aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector)
        async with session, asyncio.TaskGroup() as tasks:
            for number, kind in zip(range(count), itertools.cycle(kinds), strict=False):
                tasks.create_task(self._one(session, kind, number))

    async def _one(self, session: aiohttp.ClientSession, kind: str, number: int) -> None:
        told = Told(kind)
        self.told.append(told)
        told.document = await again(lambda: self._create(session, kind, number))
        if kind == "stream":
            await again(lambda: _read_stream(session, told))
        pauses = itertools.chain(_POLL_SECONDS, itertools.repeat(_POLL_SECONDS[-1]))
        while told.document["status"] not in _ENDED:
            await asyncio.sleep(next(pauses))
            told.document = await again(lambda: self._call(session, "GET", f"/v1/predictions/{told.document['id']}"))

    async def _create(self, session: aiohttp.ClientSession, kind: str, number: int) -> dict[str, Any]:
        model, given = {
            "echo": ("echo", {"text": f"number {number}"}),
            "wait": ("echo", {"text": f"number {number}"}),
            "stream": ("stream", {"count": CHUNKS, "delay": 0.03}),
            "slow": ("slow", {"seconds": 0.2}),
        }[kind]
        body: dict[str, Any] = {"version": self._versions[model], "input": given}
        if number % 3 == 0:
            body |= {"webhook": self._webhook, "webhook_events_filter": ["completed"]}
        headers = {"Prefer": "wait=20"} if kind == "wait" else {}
        return await self._call(session, "POST", "/v1/predictions", json=body, headers=headers)

    async def _call(self, session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> dict[str, Any]:
        async with session.request(method, self._site.base_url + path, **options) as answer:
            if answer.status >= 500:
                raise Unwell(f"{answer.status}: {(await answer.text())[:200]}")
            assert answer.status < 300, await answer.text()
            document: dict[str, Any] = await answer.json()
            return document


class Unwell(Exception):
    """The server says that it can't at this moment."""


async def again(call: Callable[[], Awaitable[Result]]) -> Result:
    """Until it works; whoever waits for it has a time limit."""
    while True:
        try:
            return await call()
        except (aiohttp.ClientError, TimeoutError, OSError, Unwell):
            await asyncio.sleep(_AGAIN_SECONDS)


async def _read_stream(session: aiohttp.ClientSession, told: Told) -> None:
    """From the last item that came to `done`."""
    path = told.document["urls"]["stream"]
    headers = {"Accept": "text/event-stream", "Last-Event-ID": told.last_event_id}
    async with session.get(path, headers=headers) as answer:
        if answer.status != 200:
            raise Unwell(str(answer.status))
        async for event in events_of(answer.content):
            if event["event"] == "done":
                return
            if event["event"] == "output":
                told.take(event)
    raise Unwell("the stream ended early")


async def events_of(lines: aiohttp.StreamReader) -> AsyncIterator[dict[str, str]]:
    """Server-sent events of one line of data each."""
    event: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.decode().rstrip("\n").partition(":")
        if name:
            event[name] = value.removeprefix(" ")
        elif "event" in event:
            yield event
            event = {}
