"""The prediction: its columns, constraints and facts about one row. Only `runner.lifecycle` writes its state."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from accounts.models import Account, ApiToken, User
from billing.classes import BillingClass
from billing.models import Price
from marketplace.lib.ids import new_id
from models_catalog.models import Model, Version
from runner.models.batches import Batch
from runner.models.deployments import Deployment
from runner.models.hosts import Instance
from runner.pools import Pool, is_private
from runner.states import TERMINAL, FaultClass, Status, stage

_TERMINAL = sorted(TERMINAL)


class Prediction(models.Model):
    """One run of a version: a prediction, or a training, which differs in what the model is asked to do."""

    class Kind(models.TextChoices):
        PREDICTION = "prediction"
        TRAINING = "training"

    class Source(models.TextChoices):
        API = "api"
        WEB = "web"

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    account = models.ForeignKey(Account, models.PROTECT, related_name="predictions")
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.PREDICTION)
    user = models.ForeignKey(User, models.SET_NULL, null=True, db_index=False)
    token = models.ForeignKey(ApiToken, models.SET_NULL, null=True, db_index=False)
    model = models.ForeignKey(Model, models.PROTECT, related_name="predictions", db_index=False)
    version = models.ForeignKey(Version, models.PROTECT, related_name="predictions", db_index=False)
    model_name = models.CharField(max_length=170)  # `owner/name` as the caller used it
    version_label = models.CharField(max_length=64)  # what `version` shows: the id, or `hidden`
    hardware = models.CharField(max_length=64)
    price = models.ForeignKey(Price, models.PROTECT, db_index=False)  # per compute time, pinned at creation
    billing_class = models.CharField(max_length=12, choices=BillingClass, default=BillingClass.SHARED)
    unit_price_ids = ArrayField(models.BigIntegerField(), default=list)  # pinned too, of class `unit`
    cost_cap_nanos = models.BigIntegerField(null=True)  # what it may cost at most, by a binding quote
    source = models.CharField(max_length=8, choices=Source, default=Source.API)
    tags = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    deployment = models.ForeignKey(Deployment, models.SET_NULL, null=True, related_name="predictions", db_index=False)
    deployment_name = models.CharField(max_length=170, blank=True)  # `owner/name`; stays when the deployment is deleted
    destination = models.ForeignKey(
        Model, models.SET_NULL, null=True, related_name="+", db_index=False
    )  # of a training
    batch = models.ForeignKey(Batch, models.SET_NULL, null=True, related_name="predictions", db_index=False)
    batch_index = models.PositiveIntegerField(null=True)  # which of the batch's inputs, from 0
    rerun_of = models.CharField(max_length=26, blank=True)  # id of the prediction it repeats

    status = models.CharField(max_length=12, choices=Status, default=Status.STARTING)
    input: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)  # secrets redacted
    sealed_secrets = models.BinaryField(null=True)  # the secret members, encrypted, until the prediction ends
    output: "models.JSONField[Any, Any]" = models.JSONField(null=True)
    logs = models.TextField(blank=True)
    error = models.TextField(null=True)  # noqa: DJ001 - null on the wire
    metrics: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    fault_class = models.CharField(max_length=16, choices=FaultClass, default=FaultClass.NONE)
    data_removed = models.BooleanField(default=False)

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True)

    claim = models.CharField(max_length=26, blank=True)  # token of the try that owns it; results of others are dropped
    instance = models.ForeignKey(Instance, models.SET_NULL, null=True, db_index=False)
    tries = models.PositiveSmallIntegerField(default=0)

    is_streamed = models.BooleanField(default=False)  # its output is an iterator's
    streams_files = models.BooleanField(default=False)  # … of files
    stream_token = models.CharField(max_length=52, null=True, unique=True)  # noqa: DJ001 - many rows have none
    webhook = models.TextField(blank=True)
    webhook_events: "models.JSONField[list[str] | None, list[str] | None]" = models.JSONField(
        null=True
    )  # None: default
    is_webhook_legacy = models.BooleanField(default=False)  # given as `webhook_completed`: not echoed
    traceparent = models.CharField(max_length=55, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["account", "-created_at", "-id"], name="prediction_by_account"),
            models.Index(fields=["model", "-created_at"], name="prediction_by_model"),
            models.Index(fields=["version", "-created_at"], name="prediction_by_version"),
            models.Index(
                fields=["deployment", "-created_at"],
                name="prediction_by_deployment",
                condition=models.Q(deployment__isnull=False),
            ),
            models.Index(
                fields=["batch", "batch_index"], name="prediction_by_batch", condition=models.Q(batch__isnull=False)
            ),
            models.Index(
                fields=["batch"],
                name="prediction_unfinished_of_batch",
                condition=models.Q(batch__isnull=False) & ~models.Q(status__in=_TERMINAL),
            ),
            models.Index(
                fields=["account", "source", "completed_at"],
                name="prediction_data_kept",
                condition=models.Q(data_removed=False, kind="prediction", completed_at__isnull=False),
            ),
            GinIndex(fields=["tags"], name="prediction_by_tag", condition=~models.Q(tags=[])),
            models.Index(fields=["created_at"], name="prediction_queue", condition=models.Q(status=Status.STARTING)),
            models.Index(fields=["instance"], name="prediction_running", condition=models.Q(status=Status.PROCESSING)),
            models.Index(
                fields=["deadline"],
                name="prediction_deadlines",
                condition=models.Q(deadline__isnull=False) & ~models.Q(status__in=_TERMINAL),
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status__in=_TERMINAL, completed_at__isnull=False)
                | (~models.Q(status__in=_TERMINAL) & models.Q(completed_at__isnull=True)),
                name="prediction_completed_at_iff_ended",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=Status.FAILED) | (models.Q(error__isnull=False) & ~models.Q(error="")),
                name="prediction_failed_says_why",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_terminal(self) -> bool:
        """It ended, and nothing changes it any more."""
        return self.status in TERMINAL

    @property
    def stage(self) -> int:
        """0 starting, 1 processing, 2 ended."""
        return stage(self.status)

    @property
    def is_training(self) -> bool:
        """It makes a new version; the API serves it under `/v1/trainings`."""
        return self.kind == self.Kind.TRAINING

    @property
    def input_component(self) -> str:
        """The part of the version's schema that its input keeps."""
        return "TrainingInput" if self.is_training else "Input"

    @property
    def output_component(self) -> str:
        """The part of the version's schema that tells what the model gives."""
        return "TrainingOutput" if self.is_training else "Output"

    @property
    def pool(self) -> Pool:
        """Which instances may run it."""
        private = is_private(self.billing_class, self.deployment_name)
        return Pool(self.version_id, self.hardware, self.deployment_id, self.is_training, private)
