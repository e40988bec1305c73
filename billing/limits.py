"""Spend limits: set, list, remove, and those that an account comes with.  Source: billing.md 8.3."""

import datetime
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from billing import accounts, counters
from billing.models import BillingAccount, LimitPeriod, LimitScope, SpendCounter, SpendLimit
from billing.periods import period_of
from marketplace.lib.problems import FieldError, NotFound, ValidationFailed

# What a charged account may spend until it says otherwise: the second stops what runs wild in the night.
DEFAULTS = {LimitPeriod.MONTH: 100_000_000_000, LimitPeriod.HOUR: 20_000_000_000}
_LARGEST = 10**9 * 10**9  # a billion dollars
_NUMBERED = (LimitScope.TOKEN, LimitScope.MEMBER)


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit and what counts against it in the period that runs."""

    limit: SpendLimit
    spent_nanos: int
    held_nanos: int
    resets_at: datetime.datetime

    @property
    def used_nanos(self) -> int:
        """Spent and held."""
        return self.spent_nanos + self.held_nanos

    @property
    def is_reached(self) -> bool:
        """Does it refuse all new work?"""
        return self.limit.is_hard and self.used_nanos >= self.limit.limit_nanos

    @property
    def left_nanos(self) -> int:
        """What new work may still use; 0 when it is used up."""
        return max(0, self.limit.limit_nanos - self.used_nanos)


def set_limit(
    account_id: int,
    *,
    period: str,
    limit_nanos: int,
    scope: str = LimitScope.ACCOUNT,
    scope_key: str = "",
    is_hard: bool = True,
) -> SpendLimit:
    """Set or change the limit of a scope and period; it counts what was used in the period before it was set.

    scope_key: "" for the account, the id of a token or member, a deployment's `owner/name`; whether there is such a
    one is the caller's to know. limit_nanos: 0 or more; 0 stops all. Raises ValidationFailed.
    """
    errors = _problems(period=period, limit_nanos=limit_nanos, scope=scope, scope_key=scope_key)
    if errors:
        raise ValidationFailed(errors)
    with transaction.atomic():
        accounts.lock(account_id)
        limit, _ = SpendLimit.objects.update_or_create(
            account_id=account_id,
            scope=scope,
            scope_key=scope_key,
            period=period,
            defaults={"limit_nanos": limit_nanos, "is_hard": is_hard},
        )
        # A raised limit warns anew on its way up; the one that was set already does not repeat itself.
        SpendCounter.objects.filter(limit=limit).update(warned_percent=0)
        counters.current(account_id, timezone.now())
        accounts.tell_changed(account_id)
    return limit


def list_limits(account_id: int) -> list[LimitState]:
    """The account's limits with what counts against them now, by scope, key and period."""
    now = timezone.now()
    with transaction.atomic():
        accounts.lock(account_id)
        rows = counters.current(account_id, now)
    states = [
        LimitState(
            row.limit,
            spent_nanos=row.spent_nanos,
            held_nanos=row.held_nanos,
            resets_at=period_of(row.limit.period, now).ends_at,
        )
        for row in rows
    ]
    return sorted(states, key=lambda one: (one.limit.scope, one.limit.scope_key, one.limit.period))


def remove_limit(account_id: int, limit_id: int) -> None:
    """Take a limit away. Raises NotFound, for other people's too."""
    with transaction.atomic():
        accounts.lock(account_id)
        removed, _ = SpendLimit.objects.filter(pk=limit_id, account_id=account_id).delete()
        if not removed:
            raise NotFound
        accounts.tell_changed(account_id)


def choose_stopping(account_id: int, *, stops: bool) -> None:
    """Is work that runs stopped too when a hard limit is reached?  Source: billing.md 8.3."""
    with transaction.atomic():
        accounts.lock(account_id)
        BillingAccount.objects.filter(pk=account_id).update(stops_at_limit=stops)
        accounts.tell_changed(account_id)


def set_defaults(payer: BillingAccount) -> None:
    """The limits that a charged account comes with, where it has none for the period. Needs the account locked."""
    for period, limit_nanos in DEFAULTS.items():
        SpendLimit.objects.get_or_create(
            account_id=payer.pk,
            scope=LimitScope.ACCOUNT,
            scope_key="",
            period=period,
            defaults={"limit_nanos": limit_nanos},
        )
    accounts.tell_changed(payer.pk)


def _problems(*, period: str, limit_nanos: int, scope: str, scope_key: str) -> list[FieldError]:
    errors = []
    if period not in LimitPeriod.values:
        errors.append(FieldError("/period", f"Must be one of {', '.join(LimitPeriod.values)}."))
    if scope not in LimitScope.values:
        errors.append(FieldError("/scope", f"Must be one of {', '.join(LimitScope.values)}."))
    if not 0 <= limit_nanos <= _LARGEST:
        errors.append(FieldError("/limit_nanos", "Must be 0 or more, and at most a billion dollars."))
    if bool(scope_key) == (scope == LimitScope.ACCOUNT):
        errors.append(FieldError("/scope_key", "Must name the token, member or deployment, and be empty otherwise."))
    elif scope in _NUMBERED and not (scope_key.isascii() and scope_key.isdecimal() and len(scope_key) < 19):
        errors.append(FieldError("/scope_key", "Must be the id of a token or member."))
    return errors
