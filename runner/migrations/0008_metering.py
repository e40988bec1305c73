"""What decides how predictions and instances are charged.  Source: billing.md 4.1."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runner', '0007_cost_cap'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='billing_class',
            field=models.CharField(choices=[('shared', 'Processing time'), ('unit', 'What the model made'), ('dedicated', 'Online time of the instances'), ('training', 'Processing time of the training')], default='shared', max_length=12),
        ),
        migrations.AddField(
            model_name='instance',
            name='deployment_name',
            field=models.CharField(blank=True, max_length=170),
        ),
        migrations.AddField(
            model_name='prediction',
            name='billing_class',
            field=models.CharField(choices=[('shared', 'Processing time'), ('unit', 'What the model made'), ('dedicated', 'Online time of the instances'), ('training', 'Processing time of the training')], default='shared', max_length=12),
        ),
        migrations.AddField(
            model_name='prediction',
            name='unit_price_ids',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), default=list, size=None),
        ),
        migrations.AlterField(
            model_name='prediction',
            name='fault_class',
            field=models.CharField(choices=[('none', 'None'), ('user_input', 'User Input'), ('model_error', 'Model Error'), ('user_cancel', 'User Cancel'), ('timeout', 'Timeout'), ('policy', 'Policy'), ('host', 'Host'), ('platform', 'Platform')], default='none', max_length=16),
        ),
    ]
