"""The API of spend limits: see them with what counts against them, set and remove them. Extensions.

Source: billing.md 8.3, 15.1.
"""

from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller
from accounts.authentication import caller_of
from accounts.models import Account, ApiToken
from billing import limits
from billing.body_fields import BodyFields
from billing.limits import LimitState
from billing.models import LimitPeriod, LimitScope
from billing.money import as_decimal_string
from marketplace.lib.problems import FieldError, NotFound, ValidationFailed
from marketplace.lib.timestamps import timestamp


class LimitList(APIView):
    """All limits of the account."""

    def get(self, request: Request) -> Response:
        """List them."""
        found = limits.list_limits(caller_of(request).account_id)
        return Response({"limits": [limit_document(state) for state in found]})

    def put(self, request: Request) -> Response:
        """Set or change the limit of a scope and period."""
        caller = caller_of(request)
        fields = BodyFields(cast("dict[str, Any]", request.data))
        scope = fields.choice("scope", LimitScope.values, LimitScope.ACCOUNT)
        key = fields.text("key")
        period = fields.choice("period", LimitPeriod.values)
        limit_nanos = fields.amount("limit")
        is_hard = fields.boolean("hard", default=True)
        fields.ensure_valid()
        _ensure_known(caller, scope, key)
        limit = limits.set_limit(
            caller.account_id, scope=scope, scope_key=key, period=period, limit_nanos=limit_nanos, is_hard=is_hard
        )
        return Response(limit_document(_state(caller, limit.pk)))


class LimitDetail(APIView):
    """One limit."""

    def get(self, request: Request, limit_id: str) -> Response:
        """Read it."""
        return Response(limit_document(_state(caller_of(request), _number(limit_id))))

    def delete(self, request: Request, limit_id: str) -> Response:
        """Remove it."""
        limits.remove_limit(caller_of(request).account_id, _number(limit_id))
        return Response(status=204)


def limit_document(state: LimitState) -> dict[str, Any]:
    """A limit as the API shows it."""
    return {
        "id": str(state.limit.pk),
        "scope": state.limit.scope,
        "key": state.limit.scope_key,
        "period": state.limit.period,
        "limit": as_decimal_string(state.limit.limit_nanos),
        "hard": state.limit.is_hard,
        "spent": as_decimal_string(state.spent_nanos),
        "held": as_decimal_string(state.held_nanos),
        "left": as_decimal_string(state.left_nanos),
        "resets_at": timestamp(state.resets_at),
    }


def _state(caller: Caller, limit_id: int) -> LimitState:
    """Raises NotFound, for other people's too."""
    for state in limits.list_limits(caller.account_id):
        if state.limit.pk == limit_id:
            return state
    raise NotFound


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise NotFound
    return int(text)


def _ensure_known(caller: Caller, scope: str, key: str) -> None:
    """Raises ValidationFailed for a token or member that the account does not have."""
    is_number = key.isascii() and key.isdecimal() and len(key) < 19
    known = {
        LimitScope.TOKEN: ApiToken.objects.filter(account_id=caller.account_id),
        LimitScope.MEMBER: Account.objects.filter(pk=caller.account_id),
    }.get(LimitScope(scope))
    column = "pk" if scope == LimitScope.TOKEN else "user_id"
    if known is not None and not (is_number and known.filter(**{column: int(key)}).exists()):
        raise ValidationFailed([FieldError("/key", f"This account has no such {scope}.")])
