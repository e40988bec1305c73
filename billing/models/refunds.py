"""Refunds of many runs at once: proposed by one operator and, above a sum, confirmed by another.

Source: billing.md 11.1.
"""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.models import User
from marketplace.lib.ids import new_id


class RefundProposal(models.Model):
    """Which runs to refund in full, and why. What it chose is fixed when it is made; the sums are those of then."""

    class State(models.TextChoices):
        """confirmed: to be carried out, which a sweep finishes where a process died."""

        PROPOSED = "proposed"
        CONFIRMED = "confirmed"
        DONE = "done"
        REJECTED = "rejected"

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    criteria: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField()  # as billing.incidents has them
    reason = models.TextField()  # customers read it
    state = models.CharField(max_length=12, choices=State, default=State.PROPOSED)
    accounts = models.BigIntegerField()
    runs = models.BigIntegerField()
    amount_nanos = models.BigIntegerField()
    proposed_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False, related_name="+")
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    decided_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="refund_proposal_to_do", condition=models.Q(state="confirmed")),
        ]

    def __str__(self) -> str:
        return f"{self.runs} runs: {self.reason}"
