"""All passages are indexed anew, for the words that a text is found by are others than before."""

from typing import Any

from django.db import migrations

from transcripts.stores.words import indexed

AT_ONCE = 500


def index_anew(apps: Any, _schema_editor: Any) -> None:
    passages = apps.get_model("transcripts", "Passage").objects
    keys = list(passages.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), AT_ONCE):
        several = list(passages.filter(pk__in=keys[start : start + AT_ONCE]).only("text"))
        for passage in several:
            passage.words = " ".join(indexed(passage.text))
        passages.bulk_update(several, ["words"])


class Migration(migrations.Migration):
    dependencies = [
        ("transcripts", "0001_calls"),
    ]

    operations = [
        migrations.RunPython(index_anew, migrations.RunPython.noop),
    ]
