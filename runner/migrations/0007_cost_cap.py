"""What a prediction may cost at most, by a binding quote."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runner", "0006_webhook_replay")]
    operations = [
        migrations.AddField(model_name="prediction", name="cost_cap_nanos", field=models.BigIntegerField(null=True)),
    ]
