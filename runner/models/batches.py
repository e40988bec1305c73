"""Batches: many predictions of one version, made by one call."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import Account
from marketplace.lib.ids import new_id


class Batch(models.Model):
    """What was asked for in one call; its predictions point to it."""

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    account = models.ForeignKey(Account, models.PROTECT, related_name="batches")
    model_name = models.CharField(max_length=170)  # `owner/name` as the caller used it
    version_label = models.CharField(max_length=64)  # the version's id, or `hidden`
    total = models.PositiveIntegerField()  # predictions
    tags = ArrayField(models.CharField(max_length=64), default=list, blank=True)  # of each of them too
    webhook = models.TextField(blank=True)  # told once, when the last of them has ended
    created_at = models.DateTimeField(auto_now_add=True)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "batches"
        indexes: ClassVar = [
            models.Index(fields=["account", "-created_at", "-id"], name="batch_by_account"),
            models.Index(fields=["created_at"], name="batch_open", condition=models.Q(completed_at=None)),
        ]

    def __str__(self) -> str:
        return self.id
