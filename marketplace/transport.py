"""What HTTP offers on every answer of `/v1`: tags with 304, compression for who asks, CORS for chosen origins.

Streams and stored files are left as they are: they have tags and CORS of their own, and are never compressed.
Source: replicate-api.md 1.4, 1.10.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import get_conditional_response, patch_vary_headers, set_response_etag

_SMALL_BYTES = 1400  # fits one packet anyway
_LARGE_BYTES = 64 * 1024  # takes so long to compress that other requests would notice
_REFUSES_GZIP = re.compile(r"\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)")
_EXPOSED = "ETag, Idempotent-Replayed, Location, Preference-Applied, Retry-After, ratelimit-remaining, ratelimit-reset"
_PREFLIGHT_SECONDS = "600"


class TransportMiddleware:
    """Finishes answers of the API."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        self._gzip = GZipMiddleware(lambda request: HttpResponse())
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve, then finish."""
        response = await self.get_response(request)
        if not request.path.startswith("/v1/"):
            return response
        if isinstance(response, HttpResponse):
            response = tagged(request, response)
            await self._compress(request, response)
        if settings.API_CORS_ORIGINS:
            allow_origin(request, response)
        return response

    async def _compress(self, request: HttpRequest, response: HttpResponse) -> None:
        """Django's part does it; it would also compress small bodies, and for `gzip;q=0`."""
        size = len(response.content)
        if size < _SMALL_BYTES:
            return
        if _REFUSES_GZIP.search(request.headers.get("Accept-Encoding", "").lower()):
            patch_vary_headers(response, ("Accept-Encoding",))
        elif size < _LARGE_BYTES:
            self._gzip.process_response(request, response)
        else:
            await asyncio.to_thread(self._gzip.process_response, request, response)


def tagged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer with a tag of its body, or 304 where the reader has that already."""
    if request.method not in ("GET", "HEAD") or response.status_code != 200:
        return response
    if "ETag" not in response.headers:
        set_response_etag(response)
    asks = "If-None-Match" in request.headers and "If-Match" not in request.headers  # the other is for changes
    if "ETag" not in response.headers or not asks:
        return response
    return get_conditional_response(request, etag=response.headers["ETag"], response=response) or response


def allow_origin(request: HttpRequest, response: HttpResponseBase) -> None:
    """Let pages of `API_CORS_ORIGINS` read the answer; answer their preflights. Tokens are sent by their script."""
    if "Access-Control-Allow-Origin" in response.headers:
        return
    patch_vary_headers(response, ("Origin",))
    origin = request.headers.get("Origin", "")
    if origin not in settings.API_CORS_ORIGINS:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
        response.headers["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "")
        response.headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
