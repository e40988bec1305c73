"""Binding quotes: what a run may cost at most."""

from django.db import models
from django.db.models.functions import Now

from accounts.models import Account
from billing.models.prices import Price
from marketplace.lib.ids import new_id


class Quote(models.Model):
    """A promise for one input on a version and hardware: a run with it, until it expires, costs at most `max_nanos`."""

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    account = models.ForeignKey(Account, models.CASCADE, related_name="+")
    model_name = models.CharField(max_length=170)
    version_id = models.CharField(max_length=64)
    hardware = models.CharField(max_length=64)
    deployment_name = models.CharField(max_length=170, blank=True)
    input_hash = models.CharField(max_length=64)  # SHA-256 of the canonical JSON, hex
    price = models.ForeignKey(Price, models.PROTECT, related_name="+")
    p50_nanos = models.BigIntegerField()
    p90_nanos = models.BigIntegerField()
    max_nanos = models.BigIntegerField()
    runs = models.PositiveIntegerField()  # how many the figures come from
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(db_index=True)
    used_by = models.CharField(max_length=26, blank=True)  # the prediction that was made with it

    def __str__(self) -> str:
        return self.id
