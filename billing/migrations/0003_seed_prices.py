"""The first price of each hardware SKU.  Source: billing.md 5.1."""

import datetime

from django.db import migrations

NANOS_PER_SECOND = {
    "cpu-small": 25_000,
    "cpu": 100_000,
    "gpu-t4": 225_000,
    "gpu-l40s": 975_000,
    "gpu-a100-large": 1_400_000,
    "gpu-h100": 1_525_000,
    "gpu-8x-h100": 12_200_000,
}
SINCE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def seed(apps, schema_editor):
    price = apps.get_model("billing", "Price")
    price.objects.bulk_create(
        price(sku=sku, rate_nanos=rate, per_units=1_000_000, effective_from=SINCE)
        for sku, rate in NANOS_PER_SECOND.items()
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_usage_append_only")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
