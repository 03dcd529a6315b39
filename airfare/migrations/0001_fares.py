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
                ("token", models.BigIntegerField()),
                ("combinations", models.BigIntegerField(default=0)),
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
                (
                    "digest",
                    models.BigIntegerField(
                        db_index=True, help_text="The first 64 bits of the text's BLAKE2 digest."
                    ),
                ),
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
            name="FareRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
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
                    "notable",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fare_rows",
                        to="airfare.notabletext",
                    ),
                ),
            ],
            options={
                "verbose_name": "fare row",
            },
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
                ("original", models.JSONField(help_text="The file's value of each edited field.")),
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
                    "row",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="edit", to="airfare.farerow"
                    ),
                ),
            ],
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
                        choices=[("csv", "CSV"), ("tsv", "TSV"), ("json", "JSON")], max_length=4
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
                            ("loaded", "loaded"),
                            ("gone", "gone from its folder"),
                            ("removed", "removed"),
                        ],
                        default="loaded",
                        max_length=7,
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
            model_name="farerow",
            name="source_file",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="fare_rows", to="airfare.sourcefile"
            ),
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
                    "source_file",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="counts",
                        to="airfare.sourcefile",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="farerow",
            index=models.Index(
                condition=models.Q(("hidden", False)),
                fields=["snapshot_day", "subject", "airline"],
                name="airfare_by_day",
            ),
        ),
        migrations.AddIndex(
            model_name="farerow",
            index=models.Index(
                condition=models.Q(("hidden", False)),
                fields=["combination", "snapshot_day"],
                name="airfare_by_combination",
            ),
        ),
        migrations.AddIndex(
            model_name="farerow",
            index=models.Index(fields=["notable", "hidden"], name="airfare_by_notable"),
        ),
        migrations.AddIndex(
            model_name="farerow",
            index=models.Index(
                condition=models.Q(("hidden", True)), fields=["source_file"], name="airfare_hidden"
            ),
        ),
        migrations.AddIndex(
            model_name="farerow",
            index=models.Index(
                condition=models.Q(("vanished", True)), fields=["source_file"], name="airfare_vanished"
            ),
        ),
        migrations.AddConstraint(
            model_name="combinationcount",
            constraint=models.UniqueConstraint(
                fields=("source_file", "combination"), name="airfare_count_once"
            ),
        ),
        migrations.RunPython(forward, backward),
    ]
