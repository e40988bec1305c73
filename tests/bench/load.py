"""The load, as a program of its own: reads one plan as JSON from stdin, writes what it measured to stdout.

Plans: `requests` (as many POSTs as fit into some seconds) and `stream` (when its first and its last chunk came).
Both take a `Call`, so that every server is asked by the same code.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp

_WARM_UP_SECONDS = 0.5
_BUSY_PAUSE_SECONDS = 0.0005  # coglet says 409 while its slot is taken


@dataclass(frozen=True)
class Call:
    """A request that can be repeated. follow: how what it made is read: `sse`, `websocket`, or "" for its answer."""

    url: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    follow: str = ""
    cookie: str = ""  # of the websocket
    expects: str = ""  # a part of every good answer


@dataclass(frozen=True)
class Requests:
    """What came of `requests`. Milliseconds are of single requests."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int


@dataclass(frozen=True)
class Stream:
    """What came of `stream`, from the moment before the request."""

    first_ms: float
    total_ms: float
    chunks: int


def measure_requests(call: Call, *, connections: int, seconds: float) -> Requests:
    """In a process of its own."""
    plan = {"plan": "requests", "call": asdict(call), "connections": connections, "seconds": seconds}
    return Requests(**_in_own_process(plan))


def measure_streams(call: Call, *, times: int) -> list[Stream]:
    """One after the other, in a process of its own."""
    return [Stream(**each) for each in _in_own_process({"plan": "stream", "call": asdict(call), "times": times})]


def _in_own_process(plan: dict[str, Any]) -> Any:
    command = [sys.executable, "-m", "tests.bench.load"]
    done = subprocess.run(command, input=json.dumps(plan), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


# --- In that process ------------------------------------------------------------------------------------------------


async def requests(session: aiohttp.ClientSession, call: Call, connections: int, seconds: float) -> dict[str, Any]:
    """As many as `connections` clients can make, each with one at a time. The first moments don't count."""
    started = time.perf_counter() + _WARM_UP_SECONDS
    end = started + seconds
    taken: list[float] = []
    failed = 0

    async def client() -> None:
        nonlocal failed
        while (before := time.perf_counter()) < end:
            is_good = await _post(session, call)
            now = time.perf_counter()
            if started <= before and now <= end:
                failed += not is_good
                if is_good:
                    taken.append(now - before)

    await asyncio.gather(*(client() for _ in range(connections)))
    taken.sort()
    p50, p99 = (taken[int(len(taken) * part)] * 1000 if taken else float("inf") for part in (0.5, 0.99))
    return {"per_second": len(taken) / seconds, "p50_ms": p50, "p99_ms": p99, "failed": failed}


async def _post(session: aiohttp.ClientSession, call: Call) -> bool:
    while True:
        async with session.post(call.url, json=call.body, headers=call.headers) as answer:
            text = await answer.text()
            if answer.status != 409:
                return answer.status < 300 and call.expects in text
        await asyncio.sleep(_BUSY_PAUSE_SECONDS)


async def stream(session: aiohttp.ClientSession, call: Call) -> dict[str, Any]:
    """One stream, to its end."""
    before = time.perf_counter()
    first, chunks = 0.0, 0
    async with contextlib.aclosing(_chunks(session, call)) as came:
        async for number in came:
            first = first or time.perf_counter()
            chunks += number
    return {"first_ms": (first - before) * 1000, "total_ms": (time.perf_counter() - before) * 1000, "chunks": chunks}


async def _chunks(session: aiohttp.ClientSession, call: Call) -> AsyncGenerator[int]:
    """How many chunks each message brought."""
    async with session.post(call.url, json=call.body, headers=call.headers) as answer:
        if not call.follow:
            async for number in _sse_chunks(answer):
                yield number
            return
        made = await answer.json()
    if call.follow == "sse":
        async with session.get(made["urls"]["stream"], headers={"Accept": "text/event-stream"}) as answer:
            async for number in _sse_chunks(answer):
                yield number
    else:
        origin = call.url.partition("/v1/")[0]
        async for number in _websocket_chunks(session, f"{origin}/ws/predictions/{made['id']}", call.cookie):
            yield number


async def _sse_chunks(answer: aiohttp.ClientResponse) -> AsyncGenerator[int]:
    async for line in answer.content:
        name, _, value = line.strip().partition(b": ")
        if name == b"event" and value == b"output":
            yield 1
        elif name == b"event" and value in (b"done", b"completed"):
            return


async def _websocket_chunks(session: aiohttp.ClientSession, url: str, cookie: str) -> AsyncGenerator[int]:
    async with session.ws_connect(url, headers={"Cookie": cookie}, max_msg_size=0) as socket:
        async for message in socket:
            document = json.loads(message.data)
            if document["kind"] == "output":
                yield document["next"] - document["at"]
            elif document["kind"] == "done":
                return


async def _main() -> None:
    plan = json.load(sys.stdin)
    call = Call(**plan["call"])
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
        if plan["plan"] == "requests":
            result: Any = await requests(session, call, plan["connections"], plan["seconds"])
        else:
            result = [await stream(session, call) for _ in range(plan["times"])]
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main())
