"""Server-sent events of a prediction: a rendering of `streams.follow` for whoever has its stream token.

Only `output`, `error` and `done` are ever sent, each with an id `<ms of creation>:<index>`: item k of the output has
index k, `error` and `done` come after the last. So a reader that comes back says exactly what it has.
Source: replicate-api.md 4.
"""

import re
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from marketplace.lib import dbthreads, sse
from marketplace.lib.endpoints import encode
from marketplace.lib.problems import NotFound
from runner import streams
from runner.events import Event, Position
from runner.models import Prediction
from runner.states import Status

_KEEP_ALIVE_SECONDS = (
    6.0  # checked when it was quiet for 3 s, so at the latest after 9 s; one client gives up after 30 s
)
_EVENT_ID = re.compile(r"(\d{1,15}):(\d{1,9})")


async def stream_text(request: HttpRequest, token: str) -> HttpResponseBase:
    """`GET /v1/streams/{token}`: an iterator of text and other values."""
    return await _stream(request, token, of_files=False)


async def stream_files(request: HttpRequest, token: str) -> HttpResponseBase:
    """`GET /v1/files/stream/{token}`: an iterator of files; each event is an address."""
    return await _stream(request, token, of_files=True)


async def preflight(request: HttpRequest, token: str) -> HttpResponseBase:
    """Browsers ask before they send `Last-Event-ID` to another origin."""
    allowed = {
        "Access-Control-Allow-Methods": "GET, HEAD",
        "Access-Control-Allow-Headers": "*, Authorization, Last-Event-ID",
    }
    return HttpResponse(status=204, headers={"Allow": "GET, HEAD, OPTIONS", **allowed, **_cors(request)})


async def _stream(request: HttpRequest, token: str, *, of_files: bool) -> HttpResponseBase:
    prediction = await dbthreads.run(_find, token, of_files)
    headers = {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
        **_cors(request),
    }
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    seen = seen_items(prediction, request.headers.get("Last-Event-ID", ""))
    return StreamingHttpResponse(_events(prediction, seen), headers=headers)


def _find(token: str, of_files: bool) -> Prediction:
    prediction = Prediction.objects.filter(stream_token=token, streams_files=of_files, data_removed=False).first()
    if prediction is None:
        raise NotFound
    return prediction


def _cors(request: HttpRequest) -> dict[str, str]:
    """Any page may read: the token is the key. Credentials are allowed where the origin is known."""
    origin = request.headers.get("Origin")
    if not origin:
        return {"Access-Control-Allow-Origin": "*"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }


def _epoch(prediction: Prediction) -> int:
    return int(prediction.created_at.timestamp() * 1000)


def seen_items(prediction: Prediction, last_event_id: str) -> int:
    """How many indices the reader has, by the id it saw last; 0 for an id that is not of this stream."""
    match = _EVENT_ID.fullmatch(last_event_id.strip())
    if match is None or int(match[1]) != _epoch(prediction):
        return 0
    seen = int(match[2]) + 1
    is_unknown = prediction.is_terminal and seen > _count(prediction) + _endings(prediction.status)
    return 0 if is_unknown else seen


def _count(prediction: Prediction) -> int:
    return len(prediction.output) if isinstance(prediction.output, list) else 0


def _endings(status: str) -> int:
    """Events after the last item: `done`, and before it `error` of a failed one."""
    return 2 if status == Status.FAILED else 1


async def _events(prediction: Prediction, seen: int) -> AsyncIterator[bytes]:
    """The body. seen: indices below this one are not sent again."""
    epoch = _epoch(prediction)
    yield sse.KEEP_ALIVE  # the server sends headers with the first bytes of the body
    last_sent = time.monotonic()
    count = min(seen, _count(prediction)) if prediction.is_terminal else seen
    async for event in streams.follow(prediction.pk, Position(outputs=count)):
        frames = b""
        if event is not None and event.kind == "output":
            frames = _items(epoch, event)
        elif event is not None and event.kind == "done":
            frames = _ending(epoch, event, seen)
        if frames:
            yield frames
            last_sent = time.monotonic()
        elif time.monotonic() - last_sent >= _KEEP_ALIVE_SECONDS:
            yield sse.KEEP_ALIVE
            last_sent = time.monotonic()


def _items(epoch: int, event: Event) -> bytes:
    texts = ((index, _text(item)) for index, item in enumerate(event.items, event.at))
    # Readers drop events without data; the index stays with its item.
    return b"".join(sse.encode("output", text, f"{epoch}:{index}") for index, text in texts if text)


def _ending(epoch: int, event: Event, seen: int) -> bytes:
    index = int(event.ended["outputs"])
    frames: list[tuple[str, dict[str, Any]]] = []
    if event.status == Status.FAILED:
        frames = [("error", {"detail": event.ended.get("error")}), ("done", {"reason": "error"})]
    else:
        frames = [("done", {} if event.status == Status.SUCCEEDED else {"reason": "canceled"})]
    return b"".join(
        sse.encode(name, orjson.dumps(data).decode(), f"{epoch}:{at}")
        for at, (name, data) in enumerate(frames, index)
        if at >= seen
    )


def _text(item: Any) -> str:
    return item if isinstance(item, str) else encode(item).decode()
