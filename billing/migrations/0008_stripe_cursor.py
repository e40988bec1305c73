"""How far lists of Stripe have been read.  Source: billing.md 14.5, 16.2."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0007_holds_and_limits'),
    ]

    operations = [
        migrations.CreateModel(
            name='StripeCursor',
            fields=[
                ('name', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('position', models.DateTimeField()),
            ],
        ),
    ]
