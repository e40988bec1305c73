"""Hardware SKUs, the hosts that offer them, and the instances that run on hosts."""

from typing import Any, ClassVar

from django.db import models

from billing.classes import BillingClass
from marketplace.lib.ids import new_id
from models_catalog.models import Version
from runner.models.deployments import Deployment
from runner.pools import Pool, is_private
from runner.states import INSTANCE_ENDED, InstanceState


class Hardware(models.Model):
    """A kind of machine one can choose, by its SKU."""

    sku = models.SlugField(primary_key=True, max_length=64)
    name = models.CharField(max_length=100)
    cpu_millis = models.PositiveIntegerField()  # thousandths of a core that one instance takes
    memory_bytes = models.BigIntegerField()
    gpus = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["position"]
        verbose_name_plural = "hardware"

    def __str__(self) -> str:
        return self.name


class Host(models.Model):
    """A machine that a runner looks after."""

    class Status(models.TextChoices):
        ONLINE = "online"
        CORDONED = "cordoned"  # takes no new instances
        LOST = "lost"

    name = models.CharField(max_length=64, unique=True)
    backend = models.CharField(max_length=16)
    status = models.CharField(max_length=12, choices=Status, default=Status.ONLINE)
    cpu_millis = models.PositiveIntegerField()
    memory_bytes = models.BigIntegerField()
    gpus = models.PositiveIntegerField(default=0)
    notes = models.TextField(blank=True)  # e.g. why models run without a sandbox here
    last_seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Instance(models.Model):
    """One running copy of a version on a host."""

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    host = models.ForeignKey(Host, models.PROTECT, related_name="instances")
    version = models.ForeignKey(Version, models.CASCADE, related_name="instances")
    hardware = models.ForeignKey(Hardware, models.PROTECT)
    deployment = models.ForeignKey(Deployment, models.SET_NULL, null=True, related_name="instances", db_index=False)
    is_training = models.BooleanField(default=False)  # coglet was started to train
    billing_class = models.CharField(max_length=12, choices=BillingClass, default=BillingClass.SHARED)
    deployment_name = models.CharField(max_length=170, blank=True)  # `owner/name`; stays when the deployment is deleted
    state = models.CharField(max_length=12, choices=InstanceState, default=InstanceState.STARTING)
    slots = models.PositiveIntegerField(default=1)
    handle: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)  # backends.base.Handle
    error = models.TextField(blank=True)
    setup_logs = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["host"],
                name="instance_live",
                condition=~models.Q(state__in=sorted(INSTANCE_ENDED)),
            ),
            models.Index(fields=["version", "-created_at"], name="instance_by_version"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def pool(self) -> Pool:
        """Whose predictions it runs."""
        private = is_private(self.billing_class, self.deployment_name)
        return Pool(self.version_id, self.hardware_id, self.deployment_id, self.is_training, private)
