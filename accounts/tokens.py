"""API tokens: issue, find, list, revoke. The text is shown once; the database has its SHA-256.

Look-ups are cached in each process for a few seconds; revoking tells every web process to forget.
Source: replicate-api.md 1.2; design.md, "Trust".
"""

import hashlib
import time
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import audit
from accounts.access import Caller
from accounts.models import Account, ApiToken, User
from marketplace.lib import wakeups
from marketplace.lib.ids import new_api_token
from marketplace.lib.problems import Conflict, NotFound

_CACHE_LIMIT = 10_000
_cache: dict[str, tuple[float, Caller]] = {}
_used: dict[int, float] = {}  # token id → when its `last_used_at` was last written
_LAST_USED_EVERY_SECONDS = 60.0


def digest(text: str) -> str:
    """What is stored of a token: SHA-256, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def issue(account: Account, *, name: str, created_by: User | None) -> tuple[ApiToken, str]:
    """Make a token. Returns its row and its text, which nobody can read again."""
    text = new_api_token()
    token = ApiToken.objects.create(
        account=account, created_by=created_by, name=name, prefix=text[:6], last4=text[-4:], digest=digest(text)
    )
    return token, text


def list_tokens(caller: Caller) -> QuerySet[ApiToken]:
    """The account's tokens that still work, newest first."""
    return ApiToken.objects.filter(account_id=caller.account_id, revoked_at=None).order_by("-created_at")


def revoke(caller: Caller, token_id: int) -> ApiToken:
    """End a token: at once in this process, within a moment in every other. Raises NotFound."""
    token = ApiToken.objects.filter(account_id=caller.account_id, pk=token_id, revoked_at=None).first()
    if token is None:
        raise NotFound("There is no such token")
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
    forget_everywhere([token.digest])
    return token


def revoke_by_operator(actor: User, token: ApiToken, *, reason: str) -> None:
    """End somebody else's token, e.g. a leaked one. Raises Conflict if it was revoked before."""
    with transaction.atomic():
        if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            raise Conflict("This token was already revoked.")
        subject = f"account/{token.account.username}"
        audit.record(actor, "revoke_token", subject, reason=reason, token_id=token.pk, token_name=token.name)
        forget_everywhere([token.digest])


def forget_everywhere(digests: Iterable[str]) -> None:
    """Drop cached look-ups here and, after commit, in every web process."""
    gone = list(digests)
    forget(gone)
    wakeups.send_after_commit(wakeups.WEB, {"type": "tokens_changed", "digests": gone})


def forget(digests: Iterable[str]) -> None:
    """Drop cached look-ups in this process."""
    for key in digests:
        _cache.pop(key, None)


def find_cached(text: str) -> Caller | None:
    """The caller of a token looked up within the last seconds by this process."""
    hit = _cache.get(digest(text))
    return hit[1] if hit and hit[0] > time.monotonic() else None


def find_caller(text: str) -> Caller | None:
    """Who the token speaks for; None for unknown and revoked ones and those of suspended accounts."""
    if cached := find_cached(text):
        return cached
    key = digest(text)
    token = (
        ApiToken.objects.select_related("account", "created_by")
        .filter(Q(created_by=None) | Q(created_by__is_active=True))
        .filter(digest=key, revoked_at=None, account__suspended_at=None)
        .first()
    )
    if token is None:
        return None
    _note_use(token)
    caller = Caller(
        account_id=token.account_id,
        username=token.account.username,
        user_id=token.created_by_id,
        token_id=token.pk,
        is_staff=False,
    )
    if len(_cache) >= _CACHE_LIMIT:
        _cache.clear()
    _cache[key] = (time.monotonic() + settings.TOKEN_CACHE_SECONDS, caller)
    return caller


def _note_use(token: ApiToken) -> None:
    """Write `last_used_at` at most once a minute: it informs a page, and must not cost a commit per call."""
    now = time.monotonic()
    if now - _used.get(token.pk, -_LAST_USED_EVERY_SECONDS) < _LAST_USED_EVERY_SECONDS:
        return
    _used[token.pk] = now
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
