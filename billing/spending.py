"""May an account spend? The door through which others ask about money; an internal account is not limited.

Source: replicate-api.md 1.8, 1.9; billing.md 8.
"""

import time
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Sum

from billing.models import BillingAccount, UsageRecord
from billing.money import Nanos
from marketplace.lib.problems import Problem

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


def standing(account_id: int) -> Standing:
    """What an account may spend now: its credit, or its line, less what is held and what is used but not posted yet."""
    payer = BillingAccount.objects.filter(pk=account_id).first()
    if payer is None or not payer.is_charged:
        return UNLIMITED
    unposted = UsageRecord.objects.filter(account_id=account_id, posting=None)
    left = payer.available_nanos - unposted.aggregate(total=Sum("amount_nanos", default=0))["total"]
    return Standing(may_spend=left > 0, is_low=left < LOW_CREDIT_NANOS, left_nanos=Nanos(left))


def remembered(account_id: int) -> Standing | None:
    """The standing, if this process looked within the last seconds. Touches no database."""
    hit = _cache.get(account_id)
    return hit[1] if hit and hit[0] > time.monotonic() else None


def current_standing(account_id: int) -> Standing:
    """`standing` now, remembered for a few seconds in each process."""
    if hit := remembered(account_id):
        return hit
    found = standing(account_id)
    if len(_cache) >= _CACHE_LIMIT:
        _cache.clear()
    _cache[account_id] = (time.monotonic() + _CACHE_SECONDS, found)
    return found


def ensure_may_spend(account_id: int) -> None:
    """Raises InsufficientCredit. What was used within the last seconds may not count yet."""
    if not current_standing(account_id).may_spend:
        raise InsufficientCredit


def forget(account_id: int | None = None) -> None:
    """Look again at the next question, of one account or of all."""
    if account_id is None:
        _cache.clear()
    else:
        _cache.pop(account_id, None)
