"""Django's request handling without what the API does not use: two thread switches a request.

The stock handler closes each response, and sends its signals, in a thread of the request's own. Here views are
async and reach the database through `marketplace.lib.dbthreads`, which looks after its connections itself.
"""

import asyncio
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.module_loading import import_string

from marketplace.lib import tasks
from marketplace.lib.asgi_types import Receive, Scope, Send
from marketplace.lib.problems import NotFound, problem_response


class LeanHandler(ASGIHandler):
    """Serves async views behind `API_MIDDLEWARE` alone."""

    def load_middleware(self, is_async: bool = True) -> None:
        """The chain of `API_MIDDLEWARE`, each of which is async."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        chain = convert_exception_to_response(self._get_response_async)  # type: ignore[attr-defined]
        for name in reversed(settings.API_MIDDLEWARE):
            middleware = import_string(name)(chain)
            if hasattr(middleware, "process_view"):
                self._view_middleware.insert(0, middleware.process_view)
            if hasattr(middleware, "process_exception"):
                self._exception_middleware.append(self.adapt_method_mode(False, middleware.process_exception))
            chain = convert_exception_to_response(middleware)
        self._middleware_chain = chain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. When the client goes away, the view is cancelled."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        try:
            request, refusal = self.create_request(scope, body)
            if request is None:
                assert refusal is not None
                await self.send_response(refusal, send)
                return
            await self._until_gone(self._answer(request, send), receive)
        finally:
            body.close()

    async def _until_gone(self, answering: Any, receive: Receive) -> None:
        answer = asyncio.create_task(answering)
        gone = asyncio.create_task(self._gone(receive))
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.end([answer, gone])
        if not answer.cancelled():
            answer.result()

    @staticmethod
    async def _gone(receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _answer(self, request: HttpRequest, send: Send) -> None:
        response: HttpResponseBase
        if "\x00" in request.path:
            response = problem_response(NotFound())  # PostgreSQL takes no NUL, and nothing has one in its name
        else:
            response = await self.get_response_async(request)
        if response.status_code in (204, 304):
            del response.headers["Content-Type"]
        elif isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
            if request.method == "HEAD":  # says how long a GET's body would be
                response.content = b""
        try:
            await self.send_response(response, send)
        finally:
            response.close()
