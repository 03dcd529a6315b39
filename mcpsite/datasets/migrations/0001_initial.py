"""The tables that data sets share, and what each database needs of its own: order by code point, trigrams."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

FORWARD = {
    "sqlite": [
        # SQLite orders by code point as it is. The index holds no text (the table beside it does) and
        # no positions: what it finds is compared with the text anyway.
        "CREATE VIRTUAL TABLE datasets_trigrams USING fts5("
        "folded, content='', detail=none, tokenize='trigram case_sensitive 1')",
    ],
    "postgresql": [
        'ALTER TABLE datasets_sourcefile ALTER COLUMN name TYPE varchar COLLATE "C"',
        'ALTER TABLE datasets_load ALTER COLUMN name TYPE varchar COLLATE "C"',
        'ALTER TABLE datasets_prosetext ALTER COLUMN folded TYPE text COLLATE "C"',
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        "CREATE INDEX datasets_trigrams ON datasets_prosetext USING gin (folded gin_trgm_ops)",
    ],
}
BACKWARD = {
    "sqlite": ["DROP TABLE datasets_trigrams"],
    "postgresql": ["DROP INDEX datasets_trigrams"],
}


def run(statements: dict[str, list[str]], editor: BaseDatabaseSchemaEditor) -> None:
    for statement in statements[editor.connection.vendor]:
        editor.execute(statement)


def forward(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    run(FORWARD, editor)


def backward(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    run(BACKWARD, editor)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CountsChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("data_set", models.CharField(db_index=True)),
                ("before", models.BigIntegerField()),
                ("after", models.BigIntegerField()),
                ("combinations", models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name="Load",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("data_set", models.CharField()),
                ("name", models.CharField(help_text="The file's name.")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("writing", "being written"),
                            ("current", "current"),
                            ("replaced", "replaced"),
                            ("abandoned", "abandoned"),
                        ],
                        db_index=True,
                        default="writing",
                        max_length=9,
                    ),
                ),
                ("folder", models.CharField()),
                ("digest", models.CharField(max_length=64, verbose_name="SHA-256")),
                ("rows", models.PositiveIntegerField(default=0, help_text="Number of rows in the file.")),
                ("unreadable", models.PositiveIntegerField(default=0)),
                (
                    "findings",
                    models.JSONField(default=list, help_text="Problems found in the file."),
                ),
                ("loaded_by", models.CharField(max_length=150)),
                ("first_id", models.BigIntegerField(default=0)),
                ("last_id", models.BigIntegerField(default=0)),
                (
                    "serial",
                    models.PositiveBigIntegerField(
                        help_text="Edits up to this serial of the file are in the rows."
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("seen_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ProseText",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("data_set", models.CharField()),
                (
                    "digest",
                    models.UUIDField(
                        help_text="The BLAKE2 digest of the data set and the text.", unique=True
                    ),
                ),
                ("text", models.TextField()),
                ("folded", models.TextField(help_text="The text casefolded: what is searched.")),
            ],
            options={
                "verbose_name": "text",
            },
        ),
        migrations.CreateModel(
            name="Combination",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("data_set", models.CharField()),
                (
                    "digest",
                    models.UUIDField(
                        help_text="The BLAKE2 digest of the data set and the values.", unique=True
                    ),
                ),
                ("values", models.JSONField(help_text="By category, without empty ones.")),
            ],
            options={
                "indexes": [models.Index(fields=["data_set"], name="datasets_combination_of")],
            },
        ),
        migrations.CreateModel(
            name="DataVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("data_set", models.CharField()),
                (
                    "what",
                    models.CharField(
                        choices=[("rows", "rows"), ("combinations", "combinations")], max_length=12
                    ),
                ),
                ("rows", models.BigIntegerField()),
                ("counts", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("data_set", "what"), name="datasets_version_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="SourceFile",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("data_set", models.CharField(editable=False)),
                ("name", models.CharField(help_text="Path within the folder that was loaded.")),
                ("folder", models.CharField(help_text="The folder that was loaded.")),
                ("digest", models.CharField(max_length=64, verbose_name="SHA-256")),
                (
                    "format",
                    models.CharField(
                        choices=[
                            ("csv", "CSV"),
                            ("tsv", "TSV"),
                            ("json", "JSON"),
                            ("jsonl", "JSON Lines"),
                            ("xlsx", "Excel"),
                        ],
                        max_length=5,
                    ),
                ),
                (
                    "rows",
                    models.PositiveIntegerField(
                        default=0, help_text="Number of rows in the file when it was loaded."
                    ),
                ),
                (
                    "unreadable",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Cells that should contain a day or a number but do not.",
                        verbose_name="unreadable values",
                    ),
                ),
                ("loaded_at", models.DateTimeField()),
                ("loaded_by", models.CharField(max_length=150)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("loading", "being loaded"),
                            ("loaded", "loaded"),
                            ("gone", "missing from its folder"),
                            ("removed", "removed"),
                        ],
                        default="loaded",
                        max_length=7,
                    ),
                ),
                ("serial", models.PositiveBigIntegerField(default=0, editable=False)),
                ("undone_digest", models.CharField(blank=True, editable=False, max_length=64)),
                ("said", models.JSONField(default=dict, editable=False)),
                (
                    "current",
                    models.OneToOneField(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="current_of",
                        to="datasets.load",
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Groups that may read its rows. Leave empty for everybody who may read "
                        "its data set.",
                        to="auth.group",
                    ),
                ),
            ],
            options={
                "verbose_name": "source file",
                "ordering": ["data_set", "name"],
            },
        ),
        migrations.AddField(
            model_name="load",
            name="file",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="loads",
                to="datasets.sourcefile",
            ),
        ),
        migrations.CreateModel(
            name="Edit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.BigIntegerField()),
                ("values", models.JSONField(default=dict, help_text="The value of each edited column.")),
                ("hidden", models.BooleanField(default=False)),
                ("deleted", models.BooleanField(default=False)),
                (
                    "met",
                    models.JSONField(
                        default=dict, help_text="Columns whose edited values the file has taken over."
                    ),
                ),
                ("serial", models.PositiveBigIntegerField()),
                ("edited_at", models.DateTimeField(auto_now=True)),
                (
                    "edited_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "met_in",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="datasets.load",
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="edits",
                        to="datasets.sourcefile",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CombinationCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rows", models.IntegerField()),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                (
                    "combination",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="datasets.combination",
                    ),
                ),
                (
                    "load",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="counts",
                        to="datasets.load",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("load", "combination"), name="datasets_count_once")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="sourcefile",
            constraint=models.UniqueConstraint(fields=("data_set", "name"), name="datasets_file_once"),
        ),
        migrations.AddConstraint(
            model_name="load",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "writing")), fields=("file",), name="datasets_one_writes"
            ),
        ),
        migrations.AddIndex(
            model_name="edit",
            index=models.Index(fields=["file", "serial"], name="datasets_edit_by_serial"),
        ),
        migrations.AddConstraint(
            model_name="edit",
            constraint=models.UniqueConstraint(fields=("key", "file"), name="datasets_edit_once"),
        ),
        migrations.RunPython(forward, backward),
    ]
