"""How many bytes a request may carry, decided while they arrive: an endless body fills no disk.

What is over the limit is read on and thrown away up to a bound, so that the client gets to see the 413.
Source: replicate-api.md 1.3, 1.8.
"""

import re
from typing import Any

import orjson
from django.conf import settings

from billing.stripe_webhook import MAX_BODY_BYTES
from marketplace.lib.asgi_types import Application, Message, Receive, Scope, Send
from marketplace.lib.problems import CONTENT_TYPE, PayloadTooLarge

_ENVELOPE_BYTES = 1024 * 1024  # what multipart adds around the content
_ARCHIVES = re.compile(r"/v1/models/[^/]+/[^/]+/versions")
_DRAINED_AT_MOST = 512 * 1024 * 1024


class TooLarge(Exception):
    """The limit was passed."""


def limit_of(path: str) -> int:
    """Bytes that a body to this path may have. Archives are sent to pages, and to `…/versions` of the API."""
    if path == "/v1/files":
        return int(settings.FILE_UPLOAD_LIMIT_BYTES) + _ENVELOPE_BYTES
    if path == "/webhooks/stripe":
        return MAX_BODY_BYTES
    if path.startswith("/v1/") and not _ARCHIVES.fullmatch(path):
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return int(settings.ARCHIVE_MAX_BYTES) + _ENVELOPE_BYTES


def bounded(application: Application) -> Application:
    """The application behind the limit."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        limit = limit_of(scope["path"])
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            if b"expect" not in headers:
                await _drain(receive)
            await _refuse(scope["path"], send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                await _drain(receive)
                raise TooLarge
            return message

        try:
            await application(scope, counted, send)
        except TooLarge:
            await _refuse(scope["path"], send)

    return guarded


async def _drain(receive: Receive) -> None:
    drained = 0
    while drained < _DRAINED_AT_MOST:
        message = await receive()
        drained += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


async def _refuse(path: str, send: Send) -> None:
    if path == "/v1/files":
        problem = PayloadTooLarge("Files must be less than 100MB in size")
    else:
        problem = PayloadTooLarge(f"The request body must be at most {limit_of(path)} bytes")
    body: Any = orjson.dumps(problem.body())
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send(
        {"type": "http.response.start", "status": problem.status, "headers": [*headers, (b"connection", b"close")]}
    )
    await send({"type": "http.response.body", "body": body})
