"""Async endpoints of the API: one view per path that picks the handler by method, and DRF views among them.

A handler is `async (request, **path members) -> response`. DRF's views are sync: they run whole, rendering included, in
the long-lived database threads. Problems become documents here; defects are left to the middleware.
Source: replicate-api.md 1.1, 1.4.
"""

import json
from collections.abc import Callable, Coroutine, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.views import APIView

from marketplace.lib import dbthreads
from marketplace.lib.problems import MethodNotAllowed, Problem, problem_response

Handler = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
Around = Callable[[HttpRequest, Callable[[], HttpResponseBase]], HttpResponseBase]


class RateClass(StrEnum):
    """Calls that are counted together.  Source: replicate-api.md 1.9."""

    CREATE = "create"  # of predictions, trainings, batches
    POLL = "poll"  # reading one of these
    OTHER = "other"


Rates = Mapping[str, RateClass]
CREATES: Rates = {"POST": RateClass.CREATE}
POLLS: Rates = {"GET": RateClass.POLL}


def rated(view: Handler, rates: Rates | None) -> Handler:
    """Say how often a view may be called, by method; those not named are OTHER. None: it needs no token."""
    setattr(view, _RATES, rates)
    return view


def rates_of(view: Any) -> Rates | None:
    """What `rated` said of a view; None where it said nothing."""
    rates: Rates | None = getattr(view, _RATES, None)
    return rates


_RATES = "modelyard_rates"


def endpoint(*, rates: Rates | None = MappingProxyType({}), **handlers: Handler) -> Handler:
    """The view of one path, with a handler for each method. HEAD is served by GET, OPTIONS names the methods.

    rates: as `rated` takes them.
    """
    allowed = [*dict.fromkeys([*handlers, *(["HEAD"] if "GET" in handlers else []), "OPTIONS"])]

    async def view(request: HttpRequest, **members: Any) -> HttpResponseBase:
        method = request.method or ""
        handler = handlers.get("GET" if method == "HEAD" else method)
        if method == "OPTIONS" and handler is None:
            return HttpResponse(status=204, headers={"Allow": ", ".join(allowed)})
        try:
            if handler is None:
                raise MethodNotAllowed(method, allowed)
            return await handler(request, **members)
        except Problem as problem:
            return problem_response(problem)

    return rated(view, rates)


def resource(
    view_class: type[APIView], *, around: Around | None = None, rates: Rates = MappingProxyType({})
) -> Handler:
    """A DRF view as the endpoint of a path, or as one handler of `endpoint`.

    around: called as `around(request, answer)` in the view's thread; answers itself or by `answer()`. rates: as `rated`
    takes them.
    """
    sync_view = view_class.as_view()
    allowed = [name.upper() for name in view_class.http_method_names if hasattr(view_class, name) and name != "options"]
    if "GET" in allowed and "HEAD" not in allowed:
        allowed.append("HEAD")
    allowed.append("OPTIONS")

    def rendered(request: HttpRequest, members: Mapping[str, Any]) -> HttpResponseBase:
        response = sync_view(request, **members)
        return response.render() if hasattr(response, "render") else response

    def answered(request: HttpRequest, members: Mapping[str, Any]) -> HttpResponseBase:
        return around(request, lambda: rendered(request, members)) if around else rendered(request, members)

    async def view(request: HttpRequest, **members: Any) -> HttpResponseBase:
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": ", ".join(allowed)})
        return await dbthreads.run(answered, request, members)

    return rated(view, rates)


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A document as JSON."""
    return HttpResponse(encode(document), status=status, content_type="application/json", headers=dict(headers or {}))


def encode(document: Any) -> bytes:
    """JSON in UTF-8. Models may give integers of any size, which the fast encoder refuses."""
    try:
        return orjson.dumps(document)
    except TypeError:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
