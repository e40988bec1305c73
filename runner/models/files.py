"""Files that users uploaded or models made."""

from typing import Any, ClassVar

from django.db import models

from accounts.models import Account
from marketplace.lib.ids import new_id


class StoredFile(models.Model):
    """One file in the default storage. Deleted ones have no row."""

    class Kind(models.TextChoices):
        UPLOAD = "upload"
        OUTPUT = "output"

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    account = models.ForeignKey(Account, models.CASCADE, related_name="files")
    kind = models.CharField(max_length=8, choices=Kind)
    prediction_id = models.CharField(max_length=26, blank=True)  # of an output
    name = models.CharField(max_length=255)
    content_type = models.CharField(max_length=255)
    size = models.BigIntegerField()  # bytes
    md5 = models.CharField(max_length=32)
    sha256 = models.CharField(max_length=64)
    key = models.CharField(max_length=200)  # in the default storage
    metadata: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["account", "-created_at"], name="file_by_account"),
            models.Index(fields=["prediction_id"], name="file_by_prediction", condition=~models.Q(prediction_id="")),
            models.Index(fields=["expires_at"], name="file_expiry", condition=models.Q(expires_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.name
