"""What the vector store knows of a file, and files of transcripts that are deleted here."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("transcripts", "0002_tombstones"),
    ]

    operations = [
        migrations.AddField(
            model_name="vectorstorefile",
            name="attributes",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text=(
                    "What the store knows of the file, which search filters by; empty if that is not known."
                ),
            ),
        ),
        migrations.AlterField(
            model_name="vectorstorefile",
            name="transcript",
            field=models.ForeignKey(
                help_text="None once it is deleted here, until its file is taken out of the store.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="store_files",
                to="transcripts.transcript",
            ),
        ),
    ]
