"""How often `/v1` may be called: a bucket for each token and class of calls, told on every answer to a known caller.

Decided between 401 and the reading of the body. Views say their class by `endpoint(…, rates=…)`; public ones have none.
A bad token is not counted here: the view answers it.  Source: replicate-api.md 1.9, 2.3.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from accounts.access import Caller
from accounts.authentication import aauthenticate
from billing import spending
from billing.money import Nanos, as_decimal_string
from marketplace.lib import dbthreads, rate_limits
from marketplace.lib.endpoints import RateClass, rates_of
from marketplace.lib.problems import Throttled, Unauthenticated, problem_response
from marketplace.lib.rate_limits import Limit, Verdict

_VERDICT = "modelyard_rate"  # attribute of requests
_LOW_CREDIT_BURST = 1


class ThrottleMiddleware:
    """Refuses what is too often with 429, and says on all other answers how much is left."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve, then tell."""
        response = await self.get_response(request)
        verdict: Verdict | None = getattr(request, _VERDICT, None)
        if verdict:
            response.headers["ratelimit-remaining"] = str(verdict.remaining)
            response.headers["ratelimit-reset"] = str(verdict.reset_seconds)
        return response

    async def process_view(
        self, request: HttpRequest, view: Any, arguments: Sequence[Any], members: Mapping[str, Any]
    ) -> HttpResponse | None:
        """The answer to a caller who came too often; None lets the view go on."""
        rates = rates_of(view)
        if rates is None:
            return None
        try:
            caller = await aauthenticate(request)
        except Unauthenticated:
            return None
        method = "GET" if request.method == "HEAD" else str(request.method)
        rate_class = rates.get(method, RateClass.OTHER)
        low = await _low_credit(caller) if rate_class is RateClass.CREATE else None
        verdict = await rate_limits.take(*_bucket(caller, rate_class, is_low=low is not None))
        setattr(request, _VERDICT, verdict)
        if verdict.is_allowed:
            return None
        why = "" if low is None else _LOW_CREDIT.format(_rate(), as_decimal_string(low).removesuffix("0"))
        return problem_response(Throttled(verdict.reset_seconds, why))


async def _low_credit(caller: Caller) -> Nanos | None:
    """Below what the caller's credit is low, if it is."""
    standing = spending.remembered(caller.account_id)
    if standing is None:
        standing = await dbthreads.run(spending.current_standing, caller.account_id)
    return standing.low_nanos if standing.is_low else None


def _bucket(caller: Caller, rate_class: RateClass, *, is_low: bool) -> tuple[str, Limit]:
    if is_low:  # by account: making further tokens must not help
        return f"account:{caller.account_id}:low-credit", Limit(_rate(), _LOW_CREDIT_BURST)
    who = f"account:{caller.account_id}" if caller.token_id is None else f"token:{caller.token_id}"
    per_minute = {
        RateClass.CREATE: settings.RATE_LIMIT_CREATE_PER_MINUTE,
        RateClass.POLL: settings.RATE_LIMIT_POLL_PER_MINUTE,
        RateClass.OTHER: settings.RATE_LIMIT_OTHER_PER_MINUTE,
    }[rate_class]
    return f"{who}:{rate_class}", Limit(per_minute, per_minute)


def _rate() -> int:
    return int(settings.RATE_LIMIT_LOW_CREDIT_PER_MINUTE)


_LOW_CREDIT = (
    "Your rate limit for creating predictions is reduced to {} requests per minute with a burst of "
    f"{_LOW_CREDIT_BURST} requests while you have less than ${{}} in credit."
)
