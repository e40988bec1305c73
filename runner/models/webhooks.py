"""The outbox of webhooks."""

from typing import ClassVar

from django.db import models

from accounts.models import Account
from marketplace.lib.ids import new_message_id


class WebhookDelivery(models.Model):
    """One message to one address: written with what it tells of, delivered later, at least once if it is terminal."""

    id = models.CharField(primary_key=True, max_length=30, default=new_message_id)
    account = models.ForeignKey(Account, models.CASCADE)
    prediction_id = models.CharField(max_length=26)
    event = models.CharField(max_length=12)  # start, output, logs, completed
    url = models.TextField()
    body = models.BinaryField()  # the exact bytes that are signed and sent
    created_at = models.DateTimeField(auto_now_add=True)
    next_attempt_at = models.DateTimeField(null=True)  # None: delivered or given up
    attempts = models.PositiveSmallIntegerField(default=0)
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
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.event}"


class WebhookAttempt(models.Model):
    """One try to deliver a message: what came of it."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="tries")
    number = models.PositiveSmallIntegerField()  # from 1
    status = models.PositiveSmallIntegerField(null=True)  # of the answer; None without one
    error = models.TextField(blank=True)
    duration_ms = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.delivery_id} try {self.number}"
