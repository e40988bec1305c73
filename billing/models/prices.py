"""Prices with validity dates, and what is counted.  Source: billing.md 2.2, 5."""

from typing import Any, ClassVar

from django.db import models

from accounts.models import Account


class Meter(models.TextChoices):
    """What is counted, each in integer base units.  Source: billing.md 2.2."""

    COMPUTE_TIME = "compute_time", "Compute time (µs)"
    INSTANCE_TIME = "instance_time", "Instance time (µs)"
    OUTPUT_IMAGE = "output_image", "Output images"
    OUTPUT_VIDEO_TIME = "output_video_time", "Output video (ms)"
    OUTPUT_AUDIO_TIME = "output_audio_time", "Output audio (ms)"
    INPUT_TOKENS = "input_tokens", "Input tokens"
    OUTPUT_TOKENS = "output_tokens", "Output tokens"
    REQUEST = "request", "Successful runs"


class Price(models.Model):
    """What one SKU costs from a moment on: `rate_nanos` per `per_units` base units. Never changed.

    Prices of one SKU and account that start together are a list, in force until their next list starts, so that lists
    neither overlap nor leave gaps. sku: a hardware SKU, or `model:owner/name` in lower case.
    """

    sku = models.CharField(max_length=190)
    meter = models.CharField(max_length=24, choices=Meter, default=Meter.COMPUTE_TIME)
    selector: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)  # input members
    account = models.ForeignKey(Account, models.PROTECT, null=True, related_name="+")  # of a contract price
    currency = models.CharField(max_length=3, default="usd")
    rate_nanos = models.BigIntegerField()
    per_units = models.BigIntegerField(default=1_000_000)
    min_charge_nanos = models.BigIntegerField(default=0)  # of one prediction, after rounding
    markup_nanos = models.BigIntegerField(default=0)  # the publisher's part of `rate_nanos`
    effective_from = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["sku", "meter", "currency", "selector", "account", "effective_from"],
                nulls_distinct=False,
                name="price_starts_once",
            ),
            models.CheckConstraint(
                condition=models.Q(rate_nanos__gte=0, per_units__gt=0, min_charge_nanos__gte=0, markup_nanos__gte=0)
                & models.Q(markup_nanos__lte=models.F("rate_nanos")),
                name="price_is_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sku} from {self.effective_from:%Y-%m-%d}"
