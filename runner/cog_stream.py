"""Reading a coglet server's event stream (server-sent events) as it comes.

Not by the HTTP client's own line reader: it refuses long lines, and files come as data URIs in one line.
Source: cog-runtime.md 4.6.
"""

from collections.abc import AsyncIterator

import aiohttp

from runner.cog_events import BadEvent, Broken, CogEvent, parse_sse


async def events_of(answer: aiohttp.ClientResponse) -> AsyncIterator[CogEvent]:
    """The events of one answer. A body that ends, breaks or cannot be read ends in Broken; never raises for these."""
    buffer, searched = bytearray(), 0
    try:
        async for chunk in answer.content.iter_any():
            buffer += chunk
            while (end := buffer.find(b"\n\n", searched)) >= 0:
                event = _parse_block(bytes(buffer[:end]))
                del buffer[: end + 2]
                searched = 0
                if event is not None:
                    yield event
            searched = max(0, len(buffer) - 1)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        yield Broken(f"connection lost: {error!r}")
        return
    except BadEvent as error:
        yield Broken(f"unreadable event: {error}")
        return
    yield Broken("connection closed before the end")


def _parse_block(block: bytes) -> CogEvent | None:
    name, data = "", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.strip().decode()
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return parse_sse(name, b"\n".join(data)) if name else None
