"""Tell of limits that fill up: by mail and in the event log, each step once a period.

A sweep compares what counters have with what was told, so that nothing is told that was not committed, and nothing is
lost with a process that dies.  Source: billing.md 7.4, 8.3.
"""

import datetime

from django.db import transaction
from django.db.models import F, Q

from billing import accounts, mails, notices
from billing.models import SpendCounter, SpendLimit
from billing.money import as_decimal_string, in_words
from billing.notices import MoneyEvent
from billing.periods import period_of
from marketplace.lib.timestamps import timestamp

STEPS = (50, 80, 90, 100)  # percent
_AT_ONCE = 500


def tell_due(now: datetime.datetime) -> int:
    """Tell of every running period's counter that has passed a step since it was last told of; how many."""
    running = Q()
    for period in ("month", "day", "hour"):
        running |= Q(limit__period=period, starts_at=period_of(period, now).starts_at)
    used, limit = F("spent_nanos") + F("held_nanos"), F("limit__limit_nanos")
    passed = Q()
    for step in STEPS:  # nothing is multiplied that could leave the range of the largest limit
        passed |= Q(warned_percent__lt=step, used__gte=limit - limit / 100 * (100 - step))
    due = SpendCounter.objects.annotate(used=used).filter(running, passed, limit__limit_nanos__gt=0)
    found = list(due.values_list("pk", "limit__account_id")[:_AT_ONCE])
    return sum(_tell(counter_id, account_id, now) for counter_id, account_id in found)


def _tell(counter_id: int, account_id: int, now: datetime.datetime) -> bool:
    """Tell of the highest step alone, where a sweep finds that several were passed."""
    with transaction.atomic():
        accounts.lock(account_id)
        counter = SpendCounter.objects.select_related("limit").filter(pk=counter_id).first()
        if counter is None:
            return False
        used = counter.spent_nanos + counter.held_nanos
        step = max((step for step in STEPS if used * 100 >= counter.limit.limit_nanos * step), default=0)
        if step <= counter.warned_percent:
            return False
        SpendCounter.objects.filter(pk=counter.pk).update(warned_percent=step)
        _tell_of(counter.limit, used, step, period_of(counter.limit.period, now).ends_at)
    return True


def _tell_of(limit: SpendLimit, used: int, step: int, resets_at: datetime.datetime) -> None:
    whose = " ".join(filter(None, [str(limit.scope), limit.scope_key]))
    notices.tell(
        limit.account_id,
        MoneyEvent.LIMIT_THRESHOLD,
        f"limit/{limit.pk}",
        percent=step,
        scope=str(limit.scope),
        key=limit.scope_key,
        period=str(limit.period),
        value=as_decimal_string(limit.limit_nanos),
        used=as_decimal_string(used),
        resets_at=timestamp(resets_at),
    )
    follows = "New work is refused until then." if limit.is_hard else "It only warns: nothing is refused."
    mails.send_after_commit(
        limit.account_id,
        f"{step} % of a spend limit is used",
        f"{in_words(used)} of the limit of {in_words(limit.limit_nanos)} a {limit.period} of this {whose} is used or "
        f"held for work that runs. It starts anew at {resets_at:%Y-%m-%d %H:%M} UTC."
        + (f" {follows}" if step == STEPS[-1] else ""),
    )
