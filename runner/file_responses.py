"""Stored files over HTTP: in pieces, whole or by range, with what keeps a hostile file from acting as a page of ours.

Source: replicate-api.md 2.11, 3.7; design.md, "Trust".
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import IO

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from marketplace.lib import dbthreads
from runner import files
from runner.models import StoredFile

_CHUNK_BYTES = 256 * 1024
_SHOWN_INLINE = ("image/", "audio/", "video/")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def file_response(request: HttpRequest, file: StoredFile, *, as_attachment: bool) -> HttpResponseBase:
    """The file's content: 200, 206 for one range, 304 for a known tag, 416 for a range outside. Raises NotFound."""
    headers = _headers(file, as_attachment=as_attachment)
    if request.headers.get("If-None-Match", "").strip() in (headers["ETag"], "*"):
        return HttpResponse(status=304, headers=headers)
    status, start, length = 200, 0, file.size
    if wanted := _range_of(request, headers["ETag"]):
        found = span(wanted, file.size)
        if found is None:
            return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{file.size}"})
        start, length = found
        status = 206
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{file.size}"
    headers["Content-Length"] = str(length)
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers, content_type=file.content_type)
    content = await dbthreads.run(files.open_content, file)
    return StreamingHttpResponse(
        _pieces(content, start, length), status=status, headers=headers, content_type=file.content_type
    )


def _headers(file: StoredFile, *, as_attachment: bool) -> dict[str, str]:
    is_attachment = as_attachment or not shown_inline(file.content_type)
    return {
        "ETag": f'"{file.md5}"',
        "Accept-Ranges": "bytes",
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "public, max-age=3600",
        "Content-Disposition": content_disposition_header(is_attachment, file.name) or "attachment",
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }


def shown_inline(content_type: str) -> bool:
    """May a browser show it in place? SVG may hold a script, so it is a download."""
    return content_type.startswith(_SHOWN_INLINE) and not content_type.startswith("image/svg")


def _range_of(request: HttpRequest, tag: str) -> str:
    """The `Range` header, where it counts: of a file that changed since, or for several ranges, the whole is sent."""
    header = request.headers.get("Range", "").replace(" ", "")
    counts = request.headers.get("If-Range", tag) == tag and _RANGE.fullmatch(header) and header != "bytes=-"
    return header if counts else ""


def span(header: str, size: int) -> tuple[int, int] | None:
    """Start and length of a range like `bytes=2-4`, `bytes=7-` or `bytes=-2`; None when it lies outside."""
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not first:
        length = min(int(last), size)
        return (size - length, length) if length else None
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    return (start, end - start + 1) if start <= end else None


async def _pieces(content: IO[bytes], start: int, length: int) -> AsyncIterator[bytes]:
    try:
        await asyncio.to_thread(content.seek, start)
        while length > 0 and (piece := await asyncio.to_thread(content.read, min(_CHUNK_BYTES, length))):
            length -= len(piece)
            yield piece
    finally:
        content.close()
