"""The event log: what happened to an account's predictions, trainings, batches and deployments, in order."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import BigIntegerField, Func
from django.db.models.functions import Cast, Now

from accounts.models import Account


class CurrentTransactionId(Func):
    """The 64-bit id of the transaction that writes the row."""

    function = "pg_current_xact_id"
    template = "%(function)s()::text"
    output_field = models.TextField()


class LoggedEvent(models.Model):
    """One thing that happened, written in the transaction in which it did. Never changed.

    Ids are given before commits, so a reader that goes by id alone could pass a row that commits late. Readers go by
    (`transaction_id`, `id`) and stop before the oldest transaction that is still open.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="+", db_index=False)
    transaction_id = models.BigIntegerField(db_default=Cast(CurrentTransactionId(), BigIntegerField()))
    type = models.CharField(max_length=40)  # `prediction.started`
    subject = models.CharField(max_length=120)  # `prediction/<id>`
    data: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["account", "transaction_id", "id"], name="event_by_account"),
            models.Index(fields=["subject", "id"], name="event_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"
