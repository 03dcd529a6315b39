"""What searches are limited by, found without reading texts: labels of speakers, and an index."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

AT_ONCE = 5_000


def fill(apps: Any, _schema_editor: Any) -> None:
    turns, labels = (apps.get_model("transcripts", name).objects for name in ("Turn", "SpeakerLabel"))
    spoken = turns.exclude(speaker="").order_by("transcript_id", "speaker").distinct()
    labels.bulk_create(
        (
            labels.model(transcript_id=transcript, label=label, folded=label.casefold())
            for transcript, label in spoken.values_list("transcript_id", "speaker")
        ),
        batch_size=AT_ONCE,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("transcripts", "0002_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpeakerLabel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("label", models.CharField(max_length=200)),
                (
                    "folded",
                    models.CharField(
                        help_text="Case-folded, because databases do not fold all of Unicode.",
                        max_length=400,
                    ),
                ),
                (
                    "transcript",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="speaker_labels",
                        to="transcripts.transcript",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.AddConstraint(
            model_name="speakerlabel",
            constraint=models.UniqueConstraint(fields=("transcript", "label"), name="transcripts_label_once"),
        ),
        migrations.RemoveIndex(model_name="transcript", name="transcripts_call_da_b5822d_idx"),
        migrations.RemoveIndex(model_name="transcript", name="transcripts_sector_7db104_idx"),
        migrations.AddIndex(
            model_name="transcript",
            index=models.Index(
                fields=["published", "collection", "sector", "call_date"],
                name="transcripts_publish_87fba7_idx",
            ),
        ),
        migrations.AddField(
            model_name="vectorstorefile",
            name="described_for",
            field=models.CharField(
                blank=True,
                default="",
                help_text=(
                    "The site's address in its attributes; empty if attributes to filter by are missing."
                ),
                max_length=500,
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="vectorstorefile",
            index=models.Index(fields=["store_id", "described_for"], name="transcripts_store_i_042e21_idx"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
