"""Models, their versions, collections, examples and reports: columns, constraints, facts about one row."""

from typing import Any, ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models.functions import Lower

from accounts.models import Account, User


class Model(models.Model):
    """Something that can be run, `owner/name`. Its versions are what runs."""

    class Visibility(models.TextChoices):
        PUBLIC = "public"
        PRIVATE = "private"

    account = models.ForeignKey(Account, models.PROTECT, related_name="models")
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    readme = models.TextField(blank=True)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PUBLIC)
    hardware = models.CharField(max_length=64)  # a SKU of runner.Hardware
    is_official = models.BooleanField(default=False)
    github_url = models.URLField(max_length=500, blank=True)
    paper_url = models.URLField(max_length=500, blank=True)
    license_url = models.URLField(max_length=500, blank=True)
    weights_url = models.URLField(max_length=500, blank=True)
    cover_image_url = models.URLField(max_length=500, blank=True)
    run_count = models.PositiveBigIntegerField(default=0)
    latest_version = models.ForeignKey("Version", models.SET_NULL, null=True, blank=True, related_name="+")
    hidden_at = models.DateTimeField(null=True, blank=True)
    hidden_reason = models.TextField(blank=True)
    deleted_at = models.DateTimeField(null=True, editable=False)  # nobody sees it any more, and its name is free
    created_at = models.DateTimeField(auto_now_add=True)
    search_document = models.GeneratedField(
        expression=SearchVector("name", weight="A", config="english")
        + SearchVector("description", weight="B", config="english")
        + SearchVector("readme", weight="C", config="english"),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                "account",
                Lower("name"),
                name="model_name_unique_per_account",
                condition=models.Q(deleted_at=None),
            ),
        ]
        indexes: ClassVar = [
            GinIndex("search_document", name="model_search_document"),
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="model_name_trigrams"),
            models.Index(fields=["visibility", "-run_count"], name="model_popular"),
            models.Index(fields=["visibility", "-created_at"], name="model_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.account.username}/{self.name}"

    @property
    def full_name(self) -> str:
        """`owner/name`; reads the account."""
        return f"{self.account.username}/{self.name}"

    @property
    def is_hidden(self) -> bool:
        """Taken down by an operator: only its owner sees it, with the reason."""
        return self.hidden_at is not None


class Version(models.Model):
    """One published content of a model. The id is the content's digest, so the same archive is the same version."""

    class Status(models.TextChoices):
        SUBMITTED = "submitted"  # waiting for, or in, its build
        READY = "ready"
        FAILED = "failed"  # the build's log says why; the same archive may be submitted again

    id = models.CharField(primary_key=True, max_length=64)  # hex
    model = models.ForeignKey(Model, models.CASCADE, related_name="versions")
    status = models.CharField(max_length=12, choices=Status, default=Status.SUBMITTED)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    archive = models.CharField(max_length=200)  # key in the default storage; a tar.gz made by archives.pack
    cog_version = models.CharField(max_length=32, default="unknown")
    config: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)  # effective cog.yaml
    openapi_schema: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    max_concurrency = models.PositiveIntegerField(default=1)
    is_private = models.BooleanField(default=False)  # the owner's alone, though its model be public
    weights = models.CharField(max_length=500, blank=True)  # URL that `setup(weights)` gets, from a training
    base = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")  # whose code and environment it runs
    training_id = models.CharField(max_length=26, blank=True)  # that made it
    deleted_at = models.DateTimeField(null=True)  # nobody sees it any more; its data are being removed

    class Meta:
        indexes: ClassVar = [models.Index(fields=["model", "-created_at"], name="version_newest")]

    def __str__(self) -> str:
        return self.id[:12]

    @property
    def code_model(self) -> Model:
        """The model whose code it runs: its own, or its base's. What is taken down there is not run here either."""
        return self.base.model if self.base else self.model

    @property
    def is_ready(self) -> bool:
        """It was built and can run."""
        return self.status == self.Status.READY


class Collection(models.Model):
    """Models that belong together, chosen by the operators."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    full_description = models.TextField(blank=True)
    position = models.PositiveIntegerField(default=0)
    members: "models.ManyToManyField[Model, Any]" = models.ManyToManyField(
        Model, related_name="collections", blank=True
    )

    class Meta:
        ordering: ClassVar = ["position", "slug"]

    def __str__(self) -> str:
        return self.name


class Example(models.Model):
    """A copy of a prediction worth showing; the first by position is the model's default."""

    model = models.ForeignKey(Model, models.CASCADE, related_name="examples")
    prediction_id = models.CharField(max_length=26)
    prediction: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField()  # as the API shows it
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["position", "-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["model", "prediction_id"], name="example_once_per_prediction"),
        ]

    def __str__(self) -> str:
        return self.prediction_id


class Report(models.Model):
    """Somebody says that a model breaks the rules; an operator decides."""

    class Category(models.TextChoices):
        ILLEGAL = "illegal", "Illegal content"
        ABUSE = "abuse", "Abuse or harassment"
        SEXUAL = "sexual", "Sexual content"
        RIGHTS = "rights", "Copyright or licence"
        SECURITY = "security", "Malware or security"
        BROKEN = "broken", "Broken or misleading"
        OTHER = "other", "Something else"

    class Status(models.TextChoices):
        OPEN = "open"
        ACTED_ON = "acted_on", "Acted on"
        DISMISSED = "dismissed"

    model = models.ForeignKey(Model, models.CASCADE, related_name="reports")
    reporter = models.ForeignKey(Account, models.SET_NULL, null=True, blank=True)
    category = models.CharField(max_length=16, choices=Category)
    text = models.TextField(blank=True, max_length=4000)
    status = models.CharField(max_length=12, choices=Status, default=Status.OPEN)
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_category_display()}: {self.model}"
