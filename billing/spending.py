"""May an account spend? What was granted to it less what it has used; an account without any grant is not limited.

The door through which others ask about money. Operators grant credit by hand; a grant is never changed, a mistake is
corrected by a further one.  Source: replicate-api.md 1.8, 1.9; billing.md 6.
"""

import datetime
import time
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from accounts import audit
from accounts.models import Account, User
from billing.models import CreditGrant, UsageRecord
from billing.money import Nanos, in_words
from marketplace.lib import wakeups
from marketplace.lib.problems import FieldError, Problem, ValidationFailed

LOW_CREDIT_NANOS = 5_000_000_000  # below it, predictions may be created only slowly
_CACHE_SECONDS = 5.0
_CACHE_LIMIT = 10_000
_cache: dict[int, tuple[float, "Standing"]] = {}


class InsufficientCredit(Problem):
    """The account has used up what was granted to it.  Source: replicate-api.md 1.8."""

    status = 402
    title = "Insufficient credit"

    def __init__(self) -> None:
        super().__init__(
            "You have insufficient credit to run this model. "
            f"Go to {settings.PUBLIC_URL}/account/billing#billing to purchase credit. "
            "Once you purchase credit, please wait a few minutes before trying again."
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """left_nanos: None for an account that is not limited."""

    may_spend: bool
    is_low: bool
    left_nanos: Nanos | None


UNLIMITED = Standing(may_spend=True, is_low=False, left_nanos=None)


def standing(account_id: int, now: datetime.datetime) -> Standing:
    """What an account may spend at a moment (aware): all grants until then less all usage until then."""
    grants = CreditGrant.objects.filter(account_id=account_id, created_at__lte=now)
    granted = grants.aggregate(total=Sum("amount_nanos"))["total"]
    if granted is None:
        return UNLIMITED
    usage = UsageRecord.objects.filter(account_id=account_id, occurred_at__lte=now)
    left = granted - (usage.aggregate(total=Sum("amount_nanos"))["total"] or 0)
    return Standing(may_spend=left > 0, is_low=left < LOW_CREDIT_NANOS, left_nanos=Nanos(left))


def remembered(account_id: int) -> Standing | None:
    """The standing, if this process looked within the last seconds. Touches no database."""
    hit = _cache.get(account_id)
    return hit[1] if hit and hit[0] > time.monotonic() else None


def current_standing(account_id: int) -> Standing:
    """`standing` now, remembered for a few seconds in each process."""
    if hit := remembered(account_id):
        return hit
    found = standing(account_id, datetime.datetime.now(datetime.UTC))
    if len(_cache) >= _CACHE_LIMIT:
        _cache.clear()
    _cache[account_id] = (time.monotonic() + _CACHE_SECONDS, found)
    return found


def ensure_may_spend(account_id: int) -> None:
    """Raises InsufficientCredit. What was used within the last seconds may not count yet."""
    if not current_standing(account_id).may_spend:
        raise InsufficientCredit


def grant(actor: User, account: Account, *, amount_nanos: int, reason: str) -> CreditGrant:
    """Give an account credit, or take some away by an amount below 0. From its first grant on it is limited.

    Raises ValidationFailed for 0.
    """
    if amount_nanos == 0:
        raise ValidationFailed([FieldError("/amount_nanos", "Must not be 0.")])
    with transaction.atomic():
        row = CreditGrant.objects.create(account=account, amount_nanos=amount_nanos, reason=reason, created_by=actor)
        amount = in_words(amount_nanos)
        audit.record(actor, "grant_credit", f"account/{account.username}", reason=reason, amount=amount)
        transaction.on_commit(lambda: forget(account.pk))
        wakeups.send_after_commit(wakeups.WEB, {"type": "credit_changed", "account_id": account.pk})
    return row


def forget(account_id: int | None = None) -> None:
    """Look again at the next question, of one account or of all."""
    if account_id is None:
        _cache.clear()
    else:
        _cache.pop(account_id, None)
