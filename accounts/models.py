"""Users, the accounts they act as, API tokens and the audit log: columns, constraints, facts about one row."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import TextChoices
from django.db.models.functions import Lower

from marketplace.lib.ids import new_webhook_secret


class User(AbstractUser):
    """A person who signs in."""

    email = models.EmailField("email address", unique=True)


class Account(models.Model):
    """A namespace that owns models, predictions and tokens: one user's, or an organization's."""

    class Kind(TextChoices):
        USER = "user"
        ORGANIZATION = "organization"

    kind = models.CharField(max_length=16, choices=Kind, default=Kind.USER)
    username = models.CharField(max_length=64)
    name = models.CharField(max_length=128, blank=True)
    user = models.OneToOneField(User, models.CASCADE, null=True, blank=True, related_name="account")
    github_url = models.URLField(null=True, blank=True)  # noqa: DJ001 - null on the wire
    avatar_url = models.URLField(null=True, blank=True)  # noqa: DJ001
    webhook_secret = models.CharField(max_length=64, default=new_webhook_secret, editable=False)
    previous_webhook_secret = models.CharField(max_length=64, blank=True, db_default="", editable=False)
    previous_webhook_secret_until = models.DateTimeField(null=True, blank=True, editable=False)  # signs until then too
    api_data_kept_seconds = models.PositiveIntegerField(null=True, blank=True)  # None: as the installation says
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspended_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("username"), name="account_username_unique"),
            models.CheckConstraint(
                condition=models.Q(username__regex=r"^[a-z0-9][a-z0-9._-]*$"),
                name="account_username_is_a_path_segment",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def is_suspended(self) -> bool:
        """Its tokens and sign-ins are refused, its predictions stopped."""
        return self.suspended_at is not None


class ApiToken(models.Model):
    """A bearer token of one account. Only its digest is stored; `prefix` and `last4` tell it apart on a page."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="tokens")
    created_by = models.ForeignKey(User, models.SET_NULL, null=True)
    name = models.CharField(max_length=64)
    prefix = models.CharField(max_length=8)
    last4 = models.CharField(max_length=4)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256, hex
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…{self.last4})"


class AuditEntry(models.Model):
    """One thing an operator did to somebody else's things. The database refuses to change or delete rows."""

    actor = models.ForeignKey(User, models.SET_NULL, null=True, db_constraint=False)
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=200)  # `model/acme/echo`, `account/nina`
    reason = models.TextField(blank=True)
    details: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.subject}"


class IdempotencyRecord(models.Model):
    """The answer to a creating request that carried an `Idempotency-Key`, written in the transaction that created."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(
        max_length=64
    )  # SHA-256 of method, path and body: the key is for this request alone
    status = models.PositiveSmallIntegerField(null=True)
    headers: "models.JSONField[dict[str, str], dict[str, str]]" = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    subject = models.CharField(max_length=120, blank=True)  # `prediction/<id>`: the answer is made from it anew
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "key"], name="idempotency_key_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return self.key
