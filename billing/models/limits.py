"""Spend limits, what counts against them, and the warnings that were sent.  Source: billing.md 8.3."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.models import Account


class LimitScope(models.TextChoices):
    """What a limit is put on. Its key: "" for the account, the id of the token or user, a deployment's `owner/name`."""

    ACCOUNT = "account"
    TOKEN = "token"  # noqa: S105 - a kind of limit
    MEMBER = "member"
    DEPLOYMENT = "deployment"


class LimitPeriod(models.TextChoices):
    """Calendar periods of UTC."""

    MONTH = "month"
    DAY = "day"
    HOUR = "hour"


class SpendLimit(models.Model):
    """No more than so much in a period, by account, token, member or deployment; all that apply hold together."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="spend_limits")
    scope = models.CharField(max_length=12, choices=LimitScope)
    scope_key = models.CharField(max_length=170, blank=True)
    period = models.CharField(max_length=8, choices=LimitPeriod)
    limit_nanos = models.BigIntegerField()
    is_hard = models.BooleanField(default=True)  # False: it only warns
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "scope", "scope_key", "period"], name="spend_limit_once"),
            models.CheckConstraint(condition=models.Q(limit_nanos__gte=0), name="spend_limit_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.scope_key} a {self.period}"


class SpendCounter(models.Model):
    """What a limit has counted in one period: spent after discounts and before credits, and held."""

    limit = models.ForeignKey(SpendLimit, models.CASCADE, related_name="counters")
    starts_at = models.DateTimeField()  # of the period, UTC
    spent_nanos = models.BigIntegerField(default=0)
    held_nanos = models.BigIntegerField(default=0)
    warned_percent = models.PositiveSmallIntegerField(default=0)  # the highest warning that was sent

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["limit", "starts_at"], name="spend_counter_once"),
            models.CheckConstraint(condition=models.Q(held_nanos__gte=0), name="spend_counter_holds_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.limit_id} {self.starts_at:%Y-%m-%d %H}"
