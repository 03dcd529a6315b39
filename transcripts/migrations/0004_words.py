"""Passages are indexed by the words that `transcripts.stores.words` makes of their text.

On SQLite Django makes `transcripts_passage` anew for the column, and its triggers are gone: the index
goes before that and is made again afterwards.
"""

from typing import Any

from django.db import migrations

import transcripts.models
from transcripts.stores.words import indexed

BATCH = 500

SQLITE = [
    # Words consist of letters, digits and the marks that some scripts need; nothing else is in them.
    """
    CREATE VIRTUAL TABLE transcripts_words USING fts5(
        words, content='transcripts_passage', content_rowid='id',
        tokenize="porter unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
    )
    """,
    "INSERT INTO transcripts_words(transcripts_words) VALUES ('rebuild')",
    # How many passages hold a word.
    "CREATE VIRTUAL TABLE transcripts_frequency USING fts5vocab('transcripts_words', 'row')",
    """
    CREATE TRIGGER transcripts_words_insert AFTER INSERT ON transcripts_passage BEGIN
        INSERT INTO transcripts_words(rowid, words) VALUES (new.id, new.words);
    END
    """,
    """
    CREATE TRIGGER transcripts_words_delete AFTER DELETE ON transcripts_passage BEGIN
        INSERT INTO transcripts_words(transcripts_words, rowid, words) VALUES ('delete', old.id, old.words);
    END
    """,
    """
    CREATE TRIGGER transcripts_words_update AFTER UPDATE OF id, words ON transcripts_passage BEGIN
        INSERT INTO transcripts_words(transcripts_words, rowid, words) VALUES ('delete', old.id, old.words);
        INSERT INTO transcripts_words(rowid, words) VALUES (new.id, new.words);
    END
    """,
]
DROP_SQLITE = [
    "DROP TABLE transcripts_frequency",
    "DROP TABLE transcripts_words",
    *(f"DROP TRIGGER transcripts_words_{event}" for event in ("insert", "delete", "update")),
]

POSTGRESQL = [
    # A tsvector of more than a megabyte is an error, which no text of 100,000 characters comes to; the
    # rest of a turn of more than an hour is not indexed.
    """
    CREATE OR REPLACE FUNCTION transcripts_lexemes(text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_tsvector('pg_catalog.english', left($1, 100000))
    $$
    """,
    """
    ALTER TABLE transcripts_passage
        ADD COLUMN lexemes tsvector GENERATED ALWAYS AS (transcripts_lexemes(words)) STORED
    """,
    "CREATE INDEX transcripts_passage_lexemes ON transcripts_passage USING gin (lexemes)",
    "DELETE FROM transcripts_frequency",
    """
    INSERT INTO transcripts_frequency
        SELECT lexeme, count(*)
        FROM transcripts_passage, unnest(tsvector_to_array(lexemes)) AS lexeme GROUP BY lexeme
        UNION ALL SELECT '', count(*) FROM transcripts_passage HAVING count(*) > 0
        UNION ALL SELECT ' ', sum(length(lexemes)) FROM transcripts_passage HAVING count(*) > 0
    """,
    "ALTER TABLE transcripts_passage ENABLE TRIGGER USER",
]
DROP_POSTGRESQL = [
    # Its triggers count lexemes.
    "ALTER TABLE transcripts_passage DISABLE TRIGGER USER",
    "ALTER TABLE transcripts_passage DROP COLUMN lexemes",
]


def drop_index(_apps: Any, schema_editor: Any) -> None:
    """Drop the index over the text."""
    for statement in {"sqlite": DROP_SQLITE, "postgresql": DROP_POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def create_index(apps: Any, schema_editor: Any) -> None:
    """Give every passage its words, and index these."""
    passages = apps.get_model("transcripts", "Passage").objects
    last = 0
    while batch := list(passages.filter(pk__gt=last).order_by("pk").only("text")[:BATCH]):
        for passage in batch:
            passage.words = " ".join(indexed(passage.text))
        passages.bulk_update(batch, ["words"])
        last = batch[-1].pk
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("transcripts", "0003_store_file_attributes"),
    ]

    operations = [
        migrations.RunPython(drop_index),
        migrations.AddField(
            model_name="passage",
            name="words",
            field=transcripts.models.WordsField(default="", editable=False, help_text="What it is found by."),
        ),
        migrations.RunPython(create_index),
    ]
