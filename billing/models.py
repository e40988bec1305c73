"""Prices with validity dates, and usage records: append-only facts about what was used.

Money is integers of nano-dollars in columns that end in `_nanos`.  Source: billing.md 2, 3, 5.
"""

from typing import ClassVar

from django.db import models

from accounts.models import Account, User


class Meter(models.TextChoices):
    """What is counted, each in integer base units.  Source: billing.md 2.2."""

    COMPUTE_TIME = "compute_time", "Compute time (µs)"
    INSTANCE_TIME = "instance_time", "Instance time (µs)"


class Price(models.Model):
    """What one hardware SKU costs from a moment on: `rate_nanos` per `per_units` base units. Fixed once used."""

    sku = models.CharField(max_length=64)
    meter = models.CharField(max_length=24, choices=Meter, default=Meter.COMPUTE_TIME)
    currency = models.CharField(max_length=3, default="usd")
    rate_nanos = models.BigIntegerField()
    per_units = models.BigIntegerField(default=1_000_000)
    effective_from = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["sku", "meter", "currency", "effective_from"], name="price_starts_once"),
            models.CheckConstraint(condition=models.Q(rate_nanos__gte=0, per_units__gt=0), name="price_is_sane"),
        ]

    def __str__(self) -> str:
        return f"{self.sku} from {self.effective_from:%Y-%m-%d}"


class CreditGrant(models.Model):
    """Credit that an operator gave (or, below 0, took back). The database refuses to change or delete rows."""

    account = models.ForeignKey(Account, models.PROTECT)
    amount_nanos = models.BigIntegerField()
    reason = models.TextField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~models.Q(amount_nanos=0), name="credit_grant_is_not_nothing"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.created_at:%Y-%m-%d}"


class UsageRecord(models.Model):
    """One rated line. The key comes from what was used, so nothing is written twice.  Source: billing.md 7.2."""

    key = models.CharField(max_length=120, unique=True)
    account = models.ForeignKey(Account, models.PROTECT)
    subject = models.CharField(max_length=64)  # `prediction/<id>`
    meter = models.CharField(max_length=24, choices=Meter)
    quantity = models.BigIntegerField()  # base units of the meter
    price = models.ForeignKey(Price, models.PROTECT)
    currency = models.CharField(max_length=3, default="usd")
    amount_nanos = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    period = models.CharField(max_length=7)  # YYYY-MM of occurred_at, UTC
    model_name = models.CharField(max_length=170)  # `owner/name` as it was
    version_id = models.CharField(max_length=64)
    hardware = models.CharField(max_length=64)
    token_id = models.BigIntegerField(null=True)
    fault_class = models.CharField(max_length=16, default="none")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(quantity__gte=0), name="usage_quantity_not_negative"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "period", "model_name"], name="usage_by_account_period"),
            models.Index(fields=["subject"], name="usage_by_subject"),
        ]

    def __str__(self) -> str:
        return self.key
