"""The fares, and what each database needs of its own: order by code point, trigrams of notable texts."""

import datetime

import django.db.models.deletion
from django.conf import settings
from django.core.management.base import CommandError
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

FORWARD = {
    "sqlite": [
        # SQLite orders by code point as it is. The index holds no text (the table beside it does) and
        # no positions: what it finds is compared with the text anyway.
        "CREATE VIRTUAL TABLE airfare_notable_trigrams USING fts5("
        "folded, content='', detail=none, tokenize='trigram case_sensitive 1')",
    ],
    "postgresql": [
        *(
            f'ALTER TABLE airfare_{table} ALTER COLUMN {column} TYPE varchar COLLATE "C"'
            for table, column in [
                ("sourcefile", "name"),
                ("load", "name"),
                ("farerow", "snapshot_date"),
                ("farerow", "subject"),
                ("farerow", "route"),
                ("farerow", "origin_airport"),
                ("farerow", "destination_airport"),
                ("farerow", "airline"),
                ("farerow", "season"),
            ]
        ),
        'ALTER TABLE airfare_notabletext ALTER COLUMN folded TYPE text COLLATE "C"',
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        "CREATE INDEX airfare_notable_trigrams ON airfare_notabletext USING gin (folded gin_trgm_ops)",
    ],
}
BACKWARD = {
    "sqlite": ["DROP TABLE airfare_notable_trigrams"],
    "postgresql": ["DROP INDEX airfare_notable_trigrams"],
}


def run(statements: dict[str, list[str]], editor: BaseDatabaseSchemaEditor) -> None:
    for statement in statements[editor.connection.vendor]:
        editor.execute(statement)


def forward(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    run(FORWARD, editor)


def backward(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    run(BACKWARD, editor)


def refuse_earlier(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    if "airfare_farerow" in editor.connection.introspection.table_names():
        raise CommandError(
            "The database was made by an earlier version, whose fares cannot be brought over. Make a new one "
            "(`STATE_DIR` or `DATABASE_URL`), run migrate and load the files again."
        )


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(refuse_earlier, migrations.RunPython.noop),
        migrations.CreateModel(
            name="DataVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rows", models.BigIntegerField()),
                ("counts", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="CountsChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
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
                ("rows", models.PositiveIntegerField(default=0, help_text="Rows that the file held.")),
                ("unreadable", models.PositiveIntegerField(default=0)),
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
            name="NotableText",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.UUIDField(help_text="The text's BLAKE2 digest.", unique=True)),
                ("text", models.TextField()),
                ("folded", models.TextField(help_text="The text casefolded: what is searched.")),
            ],
            options={
                "verbose_name": "notable text",
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
                ("route", models.CharField()),
                ("origin_airport", models.CharField()),
                ("destination_airport", models.CharField()),
                ("airline", models.CharField()),
                ("season", models.CharField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("route", "airline", "season"), name="airfare_combination_once"
                    )
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
                ("name", models.CharField(help_text="Path below the folder that was loaded.", unique=True)),
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
                        default=0, help_text="Rows that the file held when it was loaded."
                    ),
                ),
                (
                    "unreadable",
                    models.PositiveIntegerField(
                        default=0,
                        help_text="Cells that should hold a day or a number and do not.",
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
                            ("gone", "gone from its folder"),
                            ("removed", "removed"),
                        ],
                        default="loaded",
                        max_length=7,
                    ),
                ),
                ("serial", models.PositiveBigIntegerField(default=0, editable=False)),
                ("undone_digest", models.CharField(blank=True, editable=False, max_length=64)),
                (
                    "current",
                    models.OneToOneField(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="current_of",
                        to="airfare.load",
                    ),
                ),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Who may read its rows. With none, everybody who may read fares.",
                        to="auth.group",
                    ),
                ),
            ],
            options={
                "verbose_name": "source file",
                "ordering": ["name"],
            },
        ),
        migrations.AddField(
            model_name="load",
            name="file",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="loads",
                to="airfare.sourcefile",
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
                ("values", models.JSONField(default=dict, help_text="The value of each edited field.")),
                ("hidden", models.BooleanField(default=False)),
                ("deleted", models.BooleanField(default=False)),
                (
                    "met",
                    models.JSONField(
                        default=dict, help_text="Fields of which the file came to say the same."
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
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="airfare.load",
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="edits",
                        to="airfare.sourcefile",
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
                        to="airfare.combination",
                    ),
                ),
                (
                    "load",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="counts",
                        to="airfare.load",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("load", "combination"), name="airfare_count_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="FareRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.BigIntegerField(editable=False)),
                ("position", models.PositiveIntegerField(help_text="The row's place in its file, from 1.")),
                ("snapshot_date", models.CharField(blank=True, help_text="As the file gives it.")),
                ("snapshot_day", models.DateField(default=datetime.date(1, 1, 1), editable=False)),
                ("subject", models.CharField(editable=False)),
                ("route", models.CharField(blank=True, help_text="For example JFK-LAX.")),
                ("origin_airport", models.CharField(blank=True, editable=False)),
                ("destination_airport", models.CharField(blank=True, editable=False)),
                ("airline", models.CharField(blank=True)),
                ("season", models.CharField(blank=True)),
                (
                    "query",
                    models.CharField(blank=True, help_text="Empty: route, airline and season stand for it."),
                ),
                ("region", models.CharField(blank=True)),
                ("provider", models.CharField(blank=True)),
                ("collection_window", models.CharField(blank=True)),
                ("query_count", models.CharField(blank=True)),
                ("week_id", models.CharField(blank=True)),
                ("linked_tickers", models.CharField(blank=True)),
                ("search_index", models.FloatField(blank=True, null=True)),
                ("branding_mix", models.FloatField(blank=True, null=True)),
                ("avg_fare_usd", models.FloatField(blank=True, null=True, verbose_name="average fare (USD)")),
                (
                    "premium_fare_usd",
                    models.FloatField(blank=True, null=True, verbose_name="premium fare (USD)"),
                ),
                (
                    "fare_yoy_pct",
                    models.FloatField(blank=True, null=True, verbose_name="fare against last year (%)"),
                ),
                (
                    "advance_purchase_days",
                    models.FloatField(blank=True, null=True, verbose_name="advance purchase (days)"),
                ),
                ("load_factor_pct", models.FloatField(blank=True, null=True, verbose_name="load factor (%)")),
                (
                    "ancillary_revenue_pct",
                    models.FloatField(blank=True, null=True, verbose_name="ancillary revenue (%)"),
                ),
                ("hidden", models.BooleanField(default=False, help_text="A hidden row is in no answer.")),
                (
                    "vanished",
                    models.BooleanField(
                        default=False,
                        editable=False,
                        help_text="A curator changed this row, and its file no longer holds it.",
                    ),
                ),
                ("file_values", models.JSONField(editable=False, null=True)),
                (
                    "combination",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="airfare.combination",
                    ),
                ),
                (
                    "load",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="airfare.load",
                    ),
                ),
                (
                    "notable",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="airfare.notabletext",
                    ),
                ),
            ],
            options={
                "verbose_name": "fare row",
                "indexes": [
                    models.Index(
                        condition=models.Q(("hidden", False)),
                        fields=[
                            *("-snapshot_day", "-subject", "-airline", "load", "position", "id"),
                            *("combination", "notable"),
                        ],
                        name="airfare_by_day",
                    ),
                    models.Index(
                        condition=models.Q(("hidden", False)),
                        fields=["combination", "snapshot_day", "load", "notable"],
                        name="airfare_by_combination",
                    ),
                    models.Index(
                        fields=["notable", "hidden", "load", "snapshot_day", "combination"],
                        name="airfare_by_notable",
                    ),
                    models.Index(fields=["key"], name="airfare_by_key"),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="load",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "writing")), fields=("file",), name="airfare_one_writes"
            ),
        ),
        migrations.AddIndex(
            model_name="edit",
            index=models.Index(fields=["file", "serial"], name="airfare_edit_by_serial"),
        ),
        migrations.AddConstraint(
            model_name="edit",
            constraint=models.UniqueConstraint(fields=("key", "file"), name="airfare_edit_once"),
        ),
        migrations.RunPython(forward, backward),
    ]
