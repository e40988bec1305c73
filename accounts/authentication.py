"""From a token or a session to a Caller: for DRF, async views, pages and websockets.

Source: replicate-api.md 1.2.
"""

from typing import Any, cast

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import tokens
from accounts.access import Caller, caller_for_user
from accounts.models import Account, User
from marketplace.lib import dbthreads
from marketplace.lib.problems import Unauthenticated

_CALLER = "modelyard_caller"  # attribute of requests
_UNKNOWN: Any = object()


class ActiveAccountBackend(AuthenticationBackend):
    """allauth's sign-in by user name or e-mail; a suspended account's user can't sign in and loses sessions."""

    def user_can_authenticate(self, user: Any) -> bool:
        """Active, and its account not suspended."""
        return super().user_can_authenticate(user) and not _is_suspended(user)

    def get_user(self, user_id: int) -> Any:
        """The session's user, None if it may no longer act."""
        user = User.objects.filter(pk=user_id, is_active=True).select_related("account").first()
        return None if user is None or _is_suspended(user) else user


def _is_suspended(user: User) -> bool:
    account: Account | None = getattr(user, "account", None)
    return account is not None and account.is_suspended


def token_of(request: HttpRequest) -> str:
    """The token in `Authorization: Bearer …` or `Token …`. Raises Unauthenticated where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    token = token.strip()
    if scheme.lower() not in {"bearer", "token"} or not token:
        raise Unauthenticated.missing()
    return token


def authenticate(request: HttpRequest) -> Caller:
    """The caller of an API request, looked up once for each. Raises Unauthenticated."""
    known = _known(request)
    return _decided(request, tokens.find_caller(token_of(request)) if known is _UNKNOWN else known)


async def aauthenticate(request: HttpRequest) -> Caller:
    """`authenticate` for the hot path: no thread switch while the look-up is cached."""
    known = _known(request)
    if known is _UNKNOWN:
        token = token_of(request)
        known = tokens.find_cached(token) or await dbthreads.run(tokens.find_caller, token)
    return _decided(request, known)


def _known(request: HttpRequest) -> Any:
    """What an earlier look-up for this request found: a Caller, None for a bad token, or _UNKNOWN."""
    return getattr(request, _CALLER, _UNKNOWN)


def _decided(request: HttpRequest, caller: Caller | None) -> Caller:
    setattr(request, _CALLER, caller)
    if caller is None:
        raise Unauthenticated.invalid()
    return caller


class TokenAuthentication(BaseAuthentication):
    """DRF's view of `authenticate`: `request.user` and `request.auth` are the Caller."""

    def authenticate(self, request: Any) -> tuple[Any, Any]:
        """Always decides: without a valid token the request ends here, before its body is read."""
        caller = authenticate(request._request)
        return caller, caller

    def authenticate_header(self, request: Any) -> str:
        """Makes DRF answer 401, not 403."""
        return "Bearer"


def caller_of(request: Request) -> Caller:
    """The caller of a DRF request that TokenAuthentication let in."""
    return cast(Caller, request.auth)


def session_caller(request: HttpRequest) -> Caller | None:
    """The caller of a page: the signed-in user's account, or None."""
    user = request.user
    if isinstance(user, AnonymousUser) or not isinstance(user, User):
        return None
    return caller_for_user(user)
