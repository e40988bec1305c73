"""The edge of the API: how bodies are parsed, and how every failure below /v1 becomes a problem document.

DRF views use the parser, negotiation and exception handler; async views are wrapped by the middleware. Nothing
below /v1 ever answers with HTML or a redirect.  Source: replicate-api.md 1.1, 1.3, 1.4, 1.8.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import IO, Any

import orjson
import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import RequestDataTooBig
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from rest_framework import exceptions as drf
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.response import Response

from marketplace.lib import problems
from marketplace.lib.problems import Problem

log = structlog.get_logger(__name__)


class InternalError(Problem):
    """Ours. The header stops clients from repeating a call that may have created something."""

    status = 500
    title = "Internal server error"
    headers: Mapping[str, str] = {"x-should-retry": "false"}

    def __init__(self) -> None:
        super().__init__("Internal server error")


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object from a raw body whatever its content type; an empty body is an empty object.

    Raises MalformedRequest.  Source: replicate-api.md 1.3.
    """
    if not body:
        return {}
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise problems.MalformedRequest() from error
    if not isinstance(document, dict):
        raise problems.MalformedRequest("The request body must be a JSON object")
    return document


class LenientJSONParser(BaseParser):
    """Reads JSON whatever the `Content-Type` says."""

    media_type = "*/*"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        """The body as an object. Raises MalformedRequest."""
        return parse_object(stream.read())


class IgnoreAccept(BaseContentNegotiation):
    """`Accept` is ignored: there is no 406 on the API."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        """The first parser that fits the content type."""
        from rest_framework.negotiation import DefaultContentNegotiation

        return DefaultContentNegotiation().select_parser(request, parsers) or parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        """The first renderer."""
        return renderers[0], renderers[0].media_type


def as_problem(error: BaseException) -> Problem | None:
    """The problem an exception stands for, None when it is a defect of ours."""
    match error:
        case Problem():
            return error
        case Http404() | drf.NotFound():
            return problems.NotFound()
        case RequestDataTooBig():
            return problems.PayloadTooLarge("The request body is too large")
        case drf.NotAuthenticated():
            return problems.Unauthenticated.missing()
        case drf.AuthenticationFailed():
            return problems.Unauthenticated.invalid()
        case drf.PermissionDenied():
            return problems.PermissionDenied()
        case drf.ParseError() | drf.UnsupportedMediaType():
            return problems.MalformedRequest()
        case DataError() if "NUL (0x00)" in str(error):
            return problems.MalformedRequest("Text may not contain the character NUL")
        case _:
            return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler: the same documents as the middleware makes. None lets a defect reach the middleware."""
    if isinstance(error, drf.MethodNotAllowed):
        allowed = context["view"].allowed_methods
        problem: Problem | None = problems.MethodNotAllowed(str(context["request"].method), allowed)
    else:
        problem = as_problem(error)
    if problem is None:
        return None
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(problem.body(), status=problem.status, headers=headers, content_type=problems.CONTENT_TYPE)


GetResponse = Callable[[HttpRequest], HttpResponseBase] | Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class problems_middleware:  # noqa: N801 - named like the function that middlewares usually are
    """Turns exceptions, and Django's own HTML errors, below /v1 into problem documents."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._async(request)
        return self._finish(request, self.get_response(request))

    async def _async(self, request: HttpRequest) -> HttpResponseBase:
        return self._finish(request, await self.get_response(request))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A view raised."""
        if not request.path.startswith("/v1/"):
            return None
        problem = as_problem(error)
        if problem is None:
            log.error("request_failed", path=request.path, method=request.method, exc_info=error)
            problem = InternalError()
        return problems.problem_response(problem)

    def _finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not request.path.startswith("/v1"):
            return response
        is_html = response.headers.get("Content-Type", "").startswith("text/html")
        if response.status_code == 404 and is_html:
            return problems.problem_response(problems.NotFound())
        if response.status_code == 405 and "json" not in response.headers.get("Content-Type", ""):
            allowed = response.headers.get("Allow", "").split(", ")
            return problems.problem_response(problems.MethodNotAllowed(str(request.method), allowed))
        if response.status_code == 400 and is_html:
            return problems.problem_response(problems.MalformedRequest("The request could not be understood"))
        if response.status_code == 500 and is_html:
            return problems.problem_response(InternalError())
        response.headers.setdefault("Cache-Control", "no-store")
        return response
