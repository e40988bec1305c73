"""The hardware that can be chosen. An operator may change and add rows."""

from django.db import migrations

GIB = 2**30
# sku, name, thousandths of a core, memory, GPUs
HARDWARE = [
    ("cpu-small", "CPU (small)", 500, 2 * GIB, 0),
    ("cpu", "CPU", 1000, 4 * GIB, 0),
    ("gpu-t4", "Nvidia T4 GPU", 4000, 16 * GIB, 1),
    ("gpu-l40s", "Nvidia L40S GPU", 8000, 64 * GIB, 1),
    ("gpu-a100-large", "Nvidia A100 (80GB) GPU", 10000, 144 * GIB, 1),
    ("gpu-h100", "Nvidia H100 GPU", 13000, 72 * GIB, 1),
    ("gpu-8x-h100", "8x Nvidia H100 GPU", 104000, 576 * GIB, 8),
]


def seed(apps, schema_editor):
    hardware = apps.get_model("runner", "Hardware")
    hardware.objects.bulk_create(
        hardware(sku=sku, name=name, cpu_millis=cpus, memory_bytes=memory, gpus=gpus, position=position)
        for position, (sku, name, cpus, memory, gpus) in enumerate(HARDWARE)
    )


class Migration(migrations.Migration):
    dependencies = [("runner", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
