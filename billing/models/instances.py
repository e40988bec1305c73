"""How long dedicated instances have been online, as far as it is confirmed.  Source: billing.md 4.2, 7.7."""

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Now

from accounts.models import Account


class InstanceMeter(models.Model):
    """The meter of one dedicated instance, from the start of its boot to its confirmed stop.

    It moves in the transaction that writes the usage records of its segments, `inst:{instance}:{seq}`: the next one
    follows from it, whoever writes. Times are the database's; microseconds are of the runner's monotonic clock.
    """

    class End(models.TextChoices):
        STOPPED = "stopped"
        LOST = "lost"  # nobody knows when it ended: charged to its last sign of life
        BROKEN = "broken"  # it died by itself: the segment it died in is free
        SETUP_FAILED = "setup_failed"  # by the model's own code
        NEVER_STARTED = "never_started"  # we could not start it

    instance_id = models.CharField(max_length=26, primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")  # who pays
    model_name = models.CharField(max_length=170)  # `owner/name` as it was
    version_id = models.CharField(max_length=64)
    hardware = models.CharField(max_length=64)
    deployment_name = models.CharField(max_length=170, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    was_ready = models.BooleanField(default=False)
    seen_at = models.DateTimeField()  # the last sign of life
    epoch = models.CharField(max_length=26, blank=True)  # which life of a runner `told_us` is of
    told_us = models.BigIntegerField(default=0)
    carried_us = models.BigIntegerField(default=0)  # by which the runner's clock is ahead of the database's
    segment_from = models.DateTimeField()  # the open segment
    segment_us = models.BigIntegerField(default=0)
    held_back: "models.JSONField[list[Any], list[Any]]" = models.JSONField(default=list)  # until its set-up succeeds
    segments = models.PositiveIntegerField(default=0)  # how many records were written
    unbilled_us = models.BigIntegerField(default=0)  # gaps, and what was dropped as a fault of ours
    end = models.CharField(max_length=16, choices=End, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(segment_us__gte=0, told_us__gte=0, carried_us__gte=0, unbilled_us__gte=0),
                name="instance_meter_runs_forward",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["seen_at"], name="instance_meter_open", condition=models.Q(ended_at__isnull=True)),
            models.Index(fields=["version_id", "-started_at"], name="instance_meter_by_version"),
            models.Index(fields=["account", "-started_at"], name="instance_meter_by_account"),
        ]

    def __str__(self) -> str:
        return self.instance_id
