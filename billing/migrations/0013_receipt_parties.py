"""Receipts keep who sold and who bought.  Source: billing.md 12."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0012_invoice_positions'),
    ]

    operations = [
        migrations.AddField(
            model_name='topup',
            name='buyer',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='topup',
            name='seller',
            field=models.JSONField(default=dict),
        ),
    ]
