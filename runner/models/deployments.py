"""Deployments: a version on chosen hardware with instances of its own, and the numbered releases that say which.

`runner.deployments` writes them; `runner.rollouts` moves the serving release on.
"""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Lower

from accounts.models import Account, User
from models_catalog.models import Version
from runner.pools import Pool


class Deployment(models.Model):
    """A name that predictions are sent to. What answers is its serving release, which follows the current one."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="deployments")
    name = models.CharField(max_length=100)
    current_release = models.ForeignKey("runner.Release", models.PROTECT, null=True, related_name="+")
    # What predictions are made against: the release before the current one, until the current one's instances are up.
    serving_release = models.ForeignKey("runner.Release", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint("account", Lower("name"), name="deployment_name_unique_per_account"),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def full_name(self) -> str:
        """`owner/name`; reads the account."""
        return f"{self.account.username}/{self.name}"

    @property
    def is_rolling(self) -> bool:
        """A newer release than the one that serves is being brought up, or could not be."""
        return self.serving_release_id != self.current_release_id


class Release(models.Model):
    """One configuration that a deployment had or has. It never changes: a change is a new release."""

    deployment = models.ForeignKey(Deployment, models.CASCADE, related_name="releases")
    number = models.PositiveIntegerField()  # from 1
    version = models.ForeignKey(Version, models.PROTECT, related_name="+")
    hardware = models.CharField(max_length=64)  # SKU
    min_instances = models.PositiveSmallIntegerField()
    max_instances = models.PositiveSmallIntegerField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    error = models.TextField(blank=True)  # why it could not be brought up; the release before it serves on

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["deployment", "number"], name="release_number_once"),
            models.CheckConstraint(
                condition=models.Q(max_instances__gte=models.F("min_instances")), name="release_max_not_below_min"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deployment} release {self.number}"

    @property
    def pool(self) -> Pool:
        """The instances that run its predictions; releases that differ in numbers only share them."""
        return Pool(self.version_id, self.hardware, self.deployment_id)
