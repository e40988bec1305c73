"""The outbox of webhooks."""

from typing import ClassVar

from django.db import models

from accounts.models import Account
from marketplace.lib.ids import new_message_id


class WebhookDelivery(models.Model):
    """One message to one address: written with what it tells of, delivered later, at least once if it is terminal."""

    class State(models.TextChoices):
        PENDING = "pending"  # waits for its first or next try
        DELIVERED = "delivered"
        FAILED = "failed"  # given up
        SUPERSEDED = "superseded"  # never sent: newer news came first

    id = models.CharField(primary_key=True, max_length=30, default=new_message_id)
    account = models.ForeignKey(Account, models.CASCADE, db_index=False)
    prediction_id = models.CharField(max_length=26)  # or whatever else it tells of: a batch, for example
    event = models.CharField(max_length=12)  # start, output, logs, completed
    url = models.TextField()
    body = models.BinaryField()  # the exact bytes that are signed and sent
    created_at = models.DateTimeField(auto_now_add=True)
    next_attempt_at = models.DateTimeField(null=True)  # None: delivered or given up
    attempts = models.PositiveSmallIntegerField(default=0)
    attempts_before = models.PositiveSmallIntegerField(default=0, db_default=0)  # of these: before the last replay
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.TextField(blank=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["prediction_id"], condition=models.Q(event="completed"), name="webhook_completed_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_attempt_at"], name="webhook_due", condition=models.Q(next_attempt_at__isnull=False)
            ),
            models.Index(fields=["prediction_id", "created_at"], name="webhook_by_prediction"),
            models.Index(fields=["account", "-created_at", "-id"], name="webhook_by_account"),
            models.Index(fields=["created_at"], name="webhook_age"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.event}"

    @property
    def state(self) -> State:
        """Where it stands. What was once delivered stays so, also when a replay fails."""
        if self.next_attempt_at is not None:
            return self.State.PENDING
        if self.delivered_at is not None:
            return self.State.DELIVERED
        return self.State.FAILED if self.attempts else self.State.SUPERSEDED

    @property
    def tries(self) -> int:
        """Since it was written, or since its last replay."""
        return self.attempts - self.attempts_before


class WebhookAttempt(models.Model):
    """One try to deliver a message: what came of it."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="attempt_rows")
    number = models.PositiveSmallIntegerField()  # from 1
    status = models.PositiveSmallIntegerField(null=True)  # of the answer; None without one
    error = models.TextField(blank=True)
    duration_ms = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.delivery_id} try {self.number}"
