"""The build of a version: its log and outcome."""

from typing import ClassVar

from django.db import models

from models_catalog.models import Version


class Build(models.Model):
    """One try to make a version from its archive. The log stays, whatever the outcome."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    version = models.ForeignKey(Version, models.CASCADE, related_name="builds")
    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    log = models.TextField(blank=True)
    error = models.TextField(blank=True)  # what to mend, in words
    claim = models.CharField(max_length=26, blank=True)
    heartbeat_at = models.DateTimeField(null=True)  # of the worker that has it; a silent one lost it
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version"],
                name="build_one_unfinished_per_version",
                condition=models.Q(status__in=["queued", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"build {self.pk} of {self.version_id[:12]}"
