import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transcripts", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source_file", models.CharField(max_length=500, unique=True)),
                ("published", models.BooleanField()),
                (
                    "removed",
                    models.BooleanField(
                        help_text="By somebody: a load that does not name the file leaves it out."
                    ),
                ),
                (
                    "collection",
                    models.ForeignKey(
                        help_text="Where that is gone too, the file comes back unpublished.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="transcripts.collection",
                    ),
                ),
            ],
            options={"default_permissions": ()},
        ),
    ]
