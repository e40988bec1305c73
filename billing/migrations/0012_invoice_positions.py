"""How far an invoice covers its account's ledger; a month is closed once.  Source: billing.md 6.1, 12."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_webhook_secret_rotation'),
        ('billing', '0011_usage_by_account'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='invoice',
            name='invoice_covers_once',
        ),
        migrations.AddField(
            model_name='invoice',
            name='unbilled_seq',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='invoice',
            name='wallet_seq',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.UniqueConstraint(condition=models.Q(('last_seq__gte', models.F('first_seq'))), fields=('account', 'first_seq'), name='invoice_covers_once'),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.UniqueConstraint(condition=models.Q(('kind__in', ['monthly', 'statement'])), fields=('account', 'period'), name='invoice_closes_period_once'),
        ),
    ]
