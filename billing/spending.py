"""What may an account spend? The look that is remembered for seconds; `holds` decides. Internal ones are not limited.

Source: replicate-api.md 1.8, 1.9; billing.md 8.
"""

import time
from dataclasses import dataclass

from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce, Greatest

from billing.models import BillingAccount, Hold, SpendLimit, UsageRecord
from billing.money import Nanos

LOW_CREDIT_NANOS = Nanos(5_000_000_000)  # below it, predictions may be created only slowly
LOW_TRIAL_CREDIT_NANOS = Nanos(1_000_000_000)  # a trial's whole credit may be no more than the other
_CACHE_SECONDS = 5.0
_CACHE_LIMIT = 10_000
_cache: dict[int, tuple[float, "Standing"]] = {}


@dataclass(frozen=True, slots=True)
class Standing:
    """left_nanos: None for an account that is not limited by credit.

    low_nanos: below so much left the account is low.
    is_free: nothing stands in the way of its work: neither credit, nor a limit, nor its status. Nothing is held for it.
    """

    may_spend: bool
    is_low: bool
    left_nanos: Nanos | None
    low_nanos: Nanos = LOW_CREDIT_NANOS
    is_free: bool = False


UNLIMITED = Standing(may_spend=True, is_low=False, left_nanos=None)
FREE = Standing(may_spend=True, is_low=False, left_nanos=None, is_free=True)


def standing(account_id: int) -> Standing:
    """What an account may spend now: its credit, or its line, less what is held and what is used but not posted yet."""
    payer = BillingAccount.objects.filter(pk=account_id).first()
    if payer is None or not payer.is_charged:
        is_active = payer is None or payer.status == BillingAccount.Status.ACTIVE
        return FREE if is_active and not SpendLimit.objects.filter(account_id=account_id).exists() else UNLIMITED
    left = payer.available_nanos - _unposted_beyond_holds(account_id)
    low = LOW_TRIAL_CREDIT_NANOS if payer.mode == BillingAccount.Mode.TRIAL else LOW_CREDIT_NANOS
    return Standing(may_spend=left > 0, is_low=left < low, left_nanos=Nanos(left), low_nanos=low)


def _unposted_beyond_holds(account_id: int) -> int:
    held = Hold.objects.filter(subject=OuterRef("subject"), state=Hold.State.OPEN).values("amount_nanos")
    unposted = UsageRecord.objects.filter(account_id=account_id, posting=None)
    by_subject = unposted.values("subject").annotate(used=Sum("amount_nanos"), held=Coalesce(Subquery(held), 0))
    return sum(by_subject.annotate(beyond=Greatest(F("used") - F("held"), 0)).values_list("beyond", flat=True))


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


def forget(account_id: int | None = None) -> None:
    """Look again at the next question, of one account or of all."""
    if account_id is None:
        _cache.clear()
    else:
        _cache.pop(account_id, None)
