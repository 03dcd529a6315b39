from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="auditevent",
            name="calls",
            field=models.PositiveIntegerField(
                default=1,
                help_text="More than one where calls over a limit share a row: those of its minute.",
            ),
        ),
    ]
