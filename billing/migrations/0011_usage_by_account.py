"""An account's usage records in their order: an index that serves what the one on the account alone did, and pages."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_metering")]
    operations = [
        migrations.AlterField(
            model_name="usagerecord",
            name="account",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, to="accounts.account"
            ),
        ),
        migrations.AddIndex(
            model_name="usagerecord", index=models.Index(fields=["account", "id"], name="usage_by_account")
        ),
    ]
