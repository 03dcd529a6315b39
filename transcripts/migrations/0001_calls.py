"""The tables, and the full-text index over words of passages, which the database itself keeps by triggers.

So whatever changes a passage (a load, a deletion that cascades, the admin) changes the index in the same
transaction. SQLite: beware of migrations that alter `transcripts_passage`, for Django then makes the table
anew and its triggers are gone; make them again.
"""

from typing import Any

import django.db.models.deletion
import django.utils.timezone
from django.core.management.base import CommandError
from django.db import migrations, models

import transcripts.models

SQLITE = [
    # Words consist of letters, digits and the marks that some scripts need; nothing else is in them.
    """
    CREATE VIRTUAL TABLE transcripts_words USING fts5(
        words, content='transcripts_passage', content_rowid='id',
        tokenize="porter unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
    )
    """,
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
    CREATE FUNCTION transcripts_lexemes(text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_tsvector('pg_catalog.english', left($1, 100000))
    $$
    """,
    """
    ALTER TABLE transcripts_passage
        ADD COLUMN lexemes tsvector GENERATED ALWAYS AS (transcripts_lexemes(words)) STORED
    """,
    "CREATE INDEX transcripts_passage_lexemes ON transcripts_passage USING gin (lexemes)",
    # How many passages hold a lexeme; '' stands for all passages, ' ' for the sum of their lengths.
    "CREATE TABLE transcripts_frequency (lexeme text PRIMARY KEY, passages bigint NOT NULL)",
    # A row for each statement, not for each passage: loads write passages by the hundred. The lock
    # makes writers take turns, for two that touch the same lexemes in another order would deadlock.
    """
    CREATE FUNCTION transcripts_count() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('transcripts_frequency'));
        IF TG_OP = 'TRUNCATE' THEN
            DELETE FROM transcripts_frequency;
            RETURN NULL;
        END IF;
        INSERT INTO transcripts_frequency AS f
            SELECT lexeme, sum(held) * TG_ARGV[0]::int
            FROM (
                SELECT unnest(tsvector_to_array(lexemes)) AS lexeme, 1 AS held FROM changed
                UNION ALL SELECT '', 1 FROM changed
                UNION ALL SELECT ' ', length(lexemes) FROM changed
            ) AS counted
            GROUP BY lexeme
        ON CONFLICT (lexeme) DO UPDATE SET passages = f.passages + excluded.passages;
        IF TG_ARGV[0] = '-1' THEN
            DELETE FROM transcripts_frequency WHERE passages = 0;
        END IF;
        RETURN NULL;
    END $$
    """,
    *(
        f"""
        CREATE TRIGGER transcripts_count_{name} AFTER {event} ON transcripts_passage
            REFERENCING {table} TABLE AS changed
            FOR EACH STATEMENT EXECUTE FUNCTION transcripts_count('{sign}')
        """
        for name, event, table, sign in (
            ("a_insert", "INSERT", "NEW", "1"),
            ("b_delete", "DELETE", "OLD", "-1"),
            # An update is both; triggers run in the order of their names.
            ("c_update_new", "UPDATE", "NEW", "1"),
            ("d_update_old", "UPDATE", "OLD", "-1"),
        )
    ),
    """
    CREATE TRIGGER transcripts_count_truncate AFTER TRUNCATE ON transcripts_passage
        FOR EACH STATEMENT EXECUTE FUNCTION transcripts_count()
    """,
]


DROP_POSTGRESQL = [
    "DROP TABLE transcripts_frequency",
    "DROP FUNCTION transcripts_count() CASCADE",
    "DROP FUNCTION transcripts_lexemes(text) CASCADE",
]


def refuse_earlier(_apps: Any, schema_editor: Any) -> None:
    if "transcripts_transcript" in schema_editor.connection.introspection.table_names():
        raise CommandError(
            "The database was made by an earlier version, whose transcripts cannot be brought over. Make a "
            "new one (`STATE_DIR` or `DATABASE_URL`), run migrate and load the files again."
        )


def create_index(_apps: Any, schema_editor: Any) -> None:
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop_index(_apps: Any, schema_editor: Any) -> None:
    for statement in {"sqlite": DROP_SQLITE, "postgresql": DROP_POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunPython(refuse_earlier, migrations.RunPython.noop),
        migrations.CreateModel(
            name="Collection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200, unique=True)),
                ("slug", models.SlugField(max_length=200, unique=True)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Groups that may read it. Leave empty for everybody who may read "
                        "transcripts.",
                        to="auth.group",
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
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
                        help_text="Whether somebody deleted it: loads skip the file unless it is named."
                    ),
                ),
                (
                    "collection",
                    models.ForeignKey(
                        help_text="If it no longer exists, the file comes back unpublished.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="transcripts.collection",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Transcript",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "slug",
                    models.SlugField(
                        help_text="The public id in addresses and answers. It never changes.",
                        max_length=200,
                        unique=True,
                    ),
                ),
                ("title", models.CharField(max_length=300)),
                ("call_date", models.DateField(blank=True, null=True)),
                ("moderator", models.CharField(blank=True, max_length=300)),
                ("sector", models.CharField(blank=True, max_length=300)),
                (
                    "duration",
                    models.CharField(
                        blank=True,
                        help_text="As written in the file, for example “32 minutes”.",
                        max_length=100,
                    ),
                ),
                ("participants", models.JSONField(blank=True, default=list, help_text="A list of names.")),
                (
                    "other_facts",
                    models.JSONField(
                        blank=True,
                        default=list,
                        editable=False,
                        help_text="Lines of the header that are in no other field.",
                    ),
                ),
                (
                    "speakers",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        editable=False,
                        help_text=(
                            "Label in the file → the speaker that a curator named; empty if the label is "
                            "not a speaker."
                        ),
                    ),
                ),
                (
                    "notes",
                    models.JSONField(
                        blank=True,
                        default=list,
                        editable=False,
                        help_text="Problems found in the file.",
                    ),
                ),
                (
                    "text",
                    models.TextField(
                        help_text=(
                            "The whole file, header included, without invisible characters; the text of a "
                            "container."
                        )
                    ),
                ),
                ("digest", models.CharField(max_length=64, verbose_name="SHA-256 of the file")),
                (
                    "source_file",
                    models.CharField(
                        help_text="The file's path within its folder.", max_length=500, unique=True
                    ),
                ),
                (
                    "source_folder",
                    models.CharField(
                        blank=True,
                        help_text="The folder from which the file was last loaded.",
                        max_length=1000,
                    ),
                ),
                (
                    "corrected",
                    models.JSONField(
                        blank=True,
                        default=list,
                        editable=False,
                        help_text="Facts that a curator corrected; loading keeps them.",
                    ),
                ),
                (
                    "published",
                    models.BooleanField(
                        default=True, help_text="Unpublished transcripts appear in no answer and on no page."
                    ),
                ),
                ("loaded_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "collection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transcripts",
                        to="transcripts.collection",
                    ),
                ),
            ],
            options={
                "ordering": [models.OrderBy(models.F("call_date"), descending=True, nulls_last=True), "slug"],
            },
        ),
        migrations.CreateModel(
            name="Passage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField(help_text="Counted from 1.")),
                (
                    "first_turn",
                    models.PositiveIntegerField(help_text="Position of the first turn.", null=True),
                ),
                ("last_turn", models.PositiveIntegerField(help_text="Position of the last turn.", null=True)),
                ("text", models.TextField(help_text="Its turns as “Speaker: text”, one per line.")),
                (
                    "words",
                    transcripts.models.WordsField(
                        default="", editable=False, help_text="The words by which it is found."
                    ),
                ),
                (
                    "transcript",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="passages",
                        to="transcripts.transcript",
                    ),
                ),
            ],
            options={
                "ordering": ["transcript_id", "position"],
            },
        ),
        migrations.CreateModel(
            name="Turn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveIntegerField(help_text="Counted from 1.")),
                (
                    "offset",
                    models.PositiveIntegerField(
                        blank=True, help_text="Seconds from the start of the call.", null=True
                    ),
                ),
                (
                    "anchor",
                    models.CharField(
                        help_text="Its anchor in the page's address, for example t-00-12.", max_length=40
                    ),
                ),
                ("speaker", models.CharField(blank=True, max_length=200)),
                ("text", models.TextField()),
                (
                    "transcript",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="turns",
                        to="transcripts.transcript",
                    ),
                ),
            ],
            options={
                "ordering": ["transcript_id", "position"],
            },
        ),
        migrations.CreateModel(
            name="VectorStoreFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("store_id", models.CharField(max_length=100)),
                ("file_id", models.CharField(blank=True, max_length=100)),
                (
                    "attributes",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text=(
                            "The file's attributes in the store, by which searches filter; empty if unknown."
                        ),
                    ),
                ),
                (
                    "digest",
                    models.CharField(blank=True, max_length=64, verbose_name="SHA-256 of the text synced"),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("in_progress", "being indexed"),
                            ("completed", "indexed"),
                            ("failed", "failed"),
                        ],
                        default="in_progress",
                        max_length=20,
                    ),
                ),
                ("error", models.TextField(blank=True, help_text="The problem that the API reported.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "transcript",
                    models.ForeignKey(
                        help_text="Empty once it is deleted here, until its file is removed from the store.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="store_files",
                        to="transcripts.transcript",
                    ),
                ),
            ],
            options={
                "verbose_name": "vector store file",
            },
        ),
        migrations.AddIndex(
            model_name="transcript",
            index=models.Index(fields=["call_date"], name="transcripts_call_da_b5822d_idx"),
        ),
        migrations.AddIndex(
            model_name="transcript",
            index=models.Index(fields=["sector"], name="transcripts_sector_7db104_idx"),
        ),
        migrations.AddIndex(
            model_name="transcript",
            index=models.Index(fields=["title"], name="transcripts_title_ac6f90_idx"),
        ),
        migrations.AddIndex(
            model_name="transcript",
            index=models.Index(fields=["digest"], name="transcripts_digest_e09bba_idx"),
        ),
        migrations.AddConstraint(
            model_name="passage",
            constraint=models.UniqueConstraint(
                fields=("transcript", "position"), name="transcripts_passage_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="turn",
            constraint=models.UniqueConstraint(
                fields=("transcript", "position"), name="transcripts_turn_once"
            ),
        ),
        migrations.AddIndex(
            model_name="vectorstorefile",
            index=models.Index(fields=["file_id"], name="transcripts_file_id_281a9b_idx"),
        ),
        migrations.AddConstraint(
            model_name="vectorstorefile",
            constraint=models.UniqueConstraint(
                fields=("transcript", "store_id"), name="transcripts_store_file_once"
            ),
        ),
        migrations.RunPython(create_index, drop_index),
    ]
