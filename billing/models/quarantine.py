"""Usage that can't be right, until somebody has looked at it.  Source: billing.md 7.6."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.models import Account, User
from billing.models.prices import Meter, Price


class QuarantinedUsage(models.Model):
    """What would have been charged. The run itself was charged nothing; an operator has it charged, or dropped."""

    class State(models.TextChoices):
        OPEN = "open"
        BILLED = "billed"
        DROPPED = "dropped"

    key = models.CharField(max_length=120, unique=True)  # of the usage record that it would have been
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    subject = models.CharField(max_length=64)
    meter = models.CharField(max_length=24, choices=Meter)
    quantity = models.BigIntegerField(null=True)  # None: what was told is no quantity at all
    price = models.ForeignKey(Price, models.PROTECT, related_name="+")
    why = models.TextField()
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    answer = models.TextField(blank=True)
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False, related_name="+")
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "quarantined usage"
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="quarantine_open", condition=models.Q(state="open")),
        ]

    def __str__(self) -> str:
        return self.key
