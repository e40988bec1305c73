"""Meters of instances, quarantine, further units, and prices that never change.  Source: billing.md 4, 5.2, 7.6."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_webhook_secret_rotation'),
        ('billing', '0009_refund_proposals'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(
            """
            CREATE TRIGGER price_never_changes BEFORE UPDATE ON billing_price
              FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION billing_refuse_change();
            CREATE TRIGGER price_stays BEFORE DELETE ON billing_price
              FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
            """,
            "DROP TRIGGER price_never_changes ON billing_price; DROP TRIGGER price_stays ON billing_price",
        ),
        migrations.AlterField(
            model_name='invoiceline',
            name='meter',
            field=models.CharField(blank=True, choices=[('compute_time', 'Compute time (µs)'), ('instance_time', 'Instance time (µs)'), ('output_image', 'Output images'), ('output_video_time', 'Output video (ms)'), ('output_audio_time', 'Output audio (ms)'), ('input_tokens', 'Input tokens'), ('output_tokens', 'Output tokens'), ('request', 'Successful runs')], max_length=24),
        ),
        migrations.AlterField(
            model_name='price',
            name='meter',
            field=models.CharField(choices=[('compute_time', 'Compute time (µs)'), ('instance_time', 'Instance time (µs)'), ('output_image', 'Output images'), ('output_video_time', 'Output video (ms)'), ('output_audio_time', 'Output audio (ms)'), ('input_tokens', 'Input tokens'), ('output_tokens', 'Output tokens'), ('request', 'Successful runs')], default='compute_time', max_length=24),
        ),
        migrations.AlterField(
            model_name='usagerecord',
            name='meter',
            field=models.CharField(choices=[('compute_time', 'Compute time (µs)'), ('instance_time', 'Instance time (µs)'), ('output_image', 'Output images'), ('output_video_time', 'Output video (ms)'), ('output_audio_time', 'Output audio (ms)'), ('input_tokens', 'Input tokens'), ('output_tokens', 'Output tokens'), ('request', 'Successful runs')], max_length=24),
        ),
        migrations.AlterField(
            model_name='usagerollup',
            name='meter',
            field=models.CharField(choices=[('compute_time', 'Compute time (µs)'), ('instance_time', 'Instance time (µs)'), ('output_image', 'Output images'), ('output_video_time', 'Output video (ms)'), ('output_audio_time', 'Output audio (ms)'), ('input_tokens', 'Input tokens'), ('output_tokens', 'Output tokens'), ('request', 'Successful runs')], max_length=24),
        ),
        migrations.CreateModel(
            name='InstanceMeter',
            fields=[
                ('instance_id', models.CharField(max_length=26, primary_key=True, serialize=False)),
                ('model_name', models.CharField(max_length=170)),
                ('version_id', models.CharField(max_length=64)),
                ('hardware', models.CharField(max_length=64)),
                ('deployment_name', models.CharField(blank=True, max_length=170)),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('was_ready', models.BooleanField(default=False)),
                ('seen_at', models.DateTimeField()),
                ('epoch', models.CharField(blank=True, max_length=26)),
                ('told_us', models.BigIntegerField(default=0)),
                ('carried_us', models.BigIntegerField(default=0)),
                ('segment_from', models.DateTimeField()),
                ('segment_us', models.BigIntegerField(default=0)),
                ('held_back', models.JSONField(default=list)),
                ('segments', models.PositiveIntegerField(default=0)),
                ('unbilled_us', models.BigIntegerField(default=0)),
                ('end', models.CharField(blank=True, choices=[('stopped', 'Stopped'), ('lost', 'Lost'), ('broken', 'Broken'), ('setup_failed', 'Setup Failed'), ('never_started', 'Never Started')], max_length=16)),
                ('ended_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('ended_at__isnull', True)), fields=['seen_at'], name='instance_meter_open'), models.Index(fields=['version_id', '-started_at'], name='instance_meter_by_version'), models.Index(fields=['account', '-started_at'], name='instance_meter_by_account')],
                'constraints': [models.CheckConstraint(condition=models.Q(('carried_us__gte', 0), ('segment_us__gte', 0), ('told_us__gte', 0), ('unbilled_us__gte', 0)), name='instance_meter_runs_forward')],
            },
        ),
        migrations.CreateModel(
            name='QuarantinedUsage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=120, unique=True)),
                ('subject', models.CharField(max_length=64)),
                ('meter', models.CharField(choices=[('compute_time', 'Compute time (µs)'), ('instance_time', 'Instance time (µs)'), ('output_image', 'Output images'), ('output_video_time', 'Output video (ms)'), ('output_audio_time', 'Output audio (ms)'), ('input_tokens', 'Input tokens'), ('output_tokens', 'Output tokens'), ('request', 'Successful runs')], max_length=24)),
                ('quantity', models.BigIntegerField(null=True)),
                ('why', models.TextField()),
                ('state', models.CharField(choices=[('open', 'Open'), ('billed', 'Billed'), ('dropped', 'Dropped')], default='open', max_length=8)),
                ('answer', models.TextField(blank=True)),
                ('decided_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.account')),
                ('decided_by', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('price', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.price')),
            ],
            options={
                'verbose_name_plural': 'quarantined usage',
                'indexes': [models.Index(condition=models.Q(('state', 'open')), fields=['created_at'], name='quarantine_open')],
            },
        ),
    ]
