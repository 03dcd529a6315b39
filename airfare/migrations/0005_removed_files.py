from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("airfare", "0004_statistics")]
    operations = [
        migrations.AlterField(
            model_name="sourcefile",
            name="state",
            field=models.CharField(
                choices=[("loaded", "loaded"), ("gone", "gone from its folder"), ("removed", "removed")],
                default="loaded",
                max_length=7,
            ),
        ),
    ]
