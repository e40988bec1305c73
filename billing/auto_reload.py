"""Buying credit by itself when it runs low, with the saved card, within bounds.  Source: billing.md 9.3."""

import datetime

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from billing import accounts, cards, off_session, spending
from billing.cents import nanos_per_minor
from billing.models import BillingAccount, LimitPeriod, LimitScope, SpendCounter, TopUp
from billing.payment_problems import NoCard, PaymentPending, PaymentsAreOff
from billing.periods import month_of
from billing.stripe_gateway import transport
from marketplace.lib.problems import Conflict, FieldError, ValidationFailed

log = structlog.get_logger(__name__)

LEAST_THRESHOLD_NANOS = 5_000_000_000
LEAST_TARGET_NANOS = 15_000_000_000
_OFTEN = 3  # in ten minutes: more of them are an alarm
_OFTEN_WITHIN = datetime.timedelta(minutes=10)
_COUNTED = (*TopUp.PENDING, TopUp.State.SUCCEEDED)


def save_settings(
    account_id: int,
    *,
    enabled: bool,
    threshold_nanos: int,
    target_nanos: int,
    monthly_cap_nanos: int | None = None,
) -> TopUp | None:
    """Set auto-reload; turned on, it starts with a clean slate, and buys at once if credit is low already.

    The purchase it made, if any. Raises ValidationFailed, NoCard, PaymentsAreOff, Conflict.
    """
    if errors := _problems(threshold_nanos, target_nanos, monthly_cap_nanos):
        raise ValidationFailed(errors)
    with transaction.atomic():
        payer = accounts.lock(account_id)
        if enabled and not transport.is_configured():
            raise PaymentsAreOff
        if enabled and not payer.is_charged:
            raise Conflict("This account is not charged for what it uses.")
        if enabled and cards.find_default(account_id) is None:
            raise NoCard
        BillingAccount.objects.filter(pk=payer.pk).update(
            reload_enabled=enabled,
            reload_threshold_nanos=threshold_nanos,
            reload_target_nanos=target_nanos,
            reload_monthly_cap_nanos=monthly_cap_nanos,
            reload_failures=0,
            reload_not_before=None,
            reload_note="",
        )
    return consider(account_id)


def consider(account_id: int, *, now: datetime.datetime | None = None) -> TopUp | None:
    """Buy credit if the account wants that now; the purchase as it ended, or None. Outside of transactions.

    Any number may call at once: the account's lock lets one after the other look, and all but the first see its pending
    purchase.
    """
    now = now or timezone.now()
    if not transport.is_configured():
        return None
    with transaction.atomic():
        payer = accounts.lock(account_id)
        amount = _amount_cents(payer, now)
        if not amount:
            return None
        attempt = payer.reload_failures + 1
        try:
            top_up = off_session.open_top_up(
                payer, source=TopUp.Source.AUTO_RELOAD, amount_cents=amount, now=now, attempt=attempt
            )
        except (NoCard, PaymentPending):
            return None
        _warn_if_often(payer, now)
    return off_session.send(top_up)


def sweep(*, now: datetime.datetime) -> None:
    """Consider every account that may want it: what a lost wake-up would have found, and retries that are due."""
    waiting = BillingAccount.objects.filter(reload_enabled=True, status=BillingAccount.Status.ACTIVE)
    low = waiting.filter(spendable_nanos__lte=F("reload_threshold_nanos") + F("held_nanos") + F("owed_nanos"))
    due = low.filter(Q(reload_not_before=None) | Q(reload_not_before__lte=now))
    for account_id in due.values_list("pk", flat=True):
        consider(account_id, now=now)


def _problems(threshold_nanos: int, target_nanos: int, monthly_cap_nanos: int | None) -> list[FieldError]:
    errors = []
    if threshold_nanos < LEAST_THRESHOLD_NANOS:
        errors.append(FieldError("/threshold", "Must be at least 5.00."))
    if target_nanos < LEAST_TARGET_NANOS:
        errors.append(FieldError("/target", "Must be at least 15.00."))
    elif target_nanos <= threshold_nanos:
        errors.append(FieldError("/target", "Must be above the threshold."))
    elif target_nanos > settings.BILLING_TOP_UP_MAX_CENTS * nanos_per_minor("usd"):
        errors.append(FieldError("/target", "Must be at most what one purchase may be."))
    if monthly_cap_nanos is not None and monthly_cap_nanos < target_nanos - threshold_nanos:
        errors.append(FieldError("/monthly_cap", "Must allow at least one purchase: the target less the threshold."))
    return errors


def _amount_cents(payer: BillingAccount, now: datetime.datetime) -> int:
    """What to buy now; 0 for nothing."""
    wants = payer.reload_enabled and payer.is_charged and payer.status == BillingAccount.Status.ACTIVE
    waits = payer.reload_not_before is not None and payer.reload_not_before > now
    if not wants or waits or _limit_is_reached(payer, now):
        return 0
    per_cent = nanos_per_minor(payer.currency)
    left = spending.standing(payer.pk).left_nanos
    assert left is not None, "a charged account's credit is limited"
    available = left + _pending_cents(payer) * per_cent
    if available > payer.reload_threshold_nanos:
        return 0
    least, most = settings.BILLING_TOP_UP_MIN_CENTS, settings.BILLING_TOP_UP_MAX_CENTS
    wanted = -((available - payer.reload_target_nanos) // per_cent)  # whole cents, upwards
    amount = min(max(wanted, least), most, _cap_left_cents(payer, now, per_cent))
    return amount if amount >= least else 0


def _pending_cents(payer: BillingAccount) -> int:
    """What is being paid. A page that was only opened is no payment, and may never become one."""
    pending = TopUp.objects.filter(account_id=payer.pk, state__in=TopUp.PENDING)
    paying = pending.filter(~Q(source=TopUp.Source.CHECKOUT) | Q(payment_intent_id__isnull=False))
    return int(paying.aggregate(total=Sum("amount_cents", default=0))["total"])


def _cap_left_cents(payer: BillingAccount, now: datetime.datetime, per_cent: int) -> int:
    """What auto-reload may still buy this month, UTC."""
    if payer.reload_monthly_cap_nanos is None:
        return int(settings.BILLING_TOP_UP_MAX_CENTS)
    reloads = TopUp.objects.filter(account_id=payer.pk, source=TopUp.Source.AUTO_RELOAD, state__in=_COUNTED)
    bought = int(
        reloads.filter(created_at__gte=month_of(now).starts_at).aggregate(total=Sum("amount_cents", default=0))["total"]
    )
    return payer.reload_monthly_cap_nanos // per_cent - bought


def _limit_is_reached(payer: BillingAccount, now: datetime.datetime) -> bool:
    """Credit would not help: the account's own limit lets it spend no more this month."""
    counters = SpendCounter.objects.filter(
        limit__account_id=payer.pk,
        limit__scope=LimitScope.ACCOUNT,
        limit__period=LimitPeriod.MONTH,
        limit__is_hard=True,
        starts_at=month_of(now).starts_at,
    )
    return counters.filter(limit__limit_nanos__lte=F("spent_nanos") + F("held_nanos")).exists()


def _warn_if_often(payer: BillingAccount, now: datetime.datetime) -> None:
    recent = TopUp.objects.filter(
        account_id=payer.pk, source=TopUp.Source.AUTO_RELOAD, created_at__gt=now - _OFTEN_WITHIN
    )
    if recent.count() > _OFTEN:
        log.error("auto_reload_often", account_id=payer.pk, count=recent.count())
