"""The rows of fares."""

import datetime

import django.db.models.deletion
from django.core.management.base import CommandError
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def refuse_earlier(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    if "airfare_farerow" in editor.connection.introspection.table_names():
        raise CommandError(
            "The database was made by an earlier version, whose fares cannot be brought over. Make a new one "
            "(`STATE_DIR` or `DATABASE_URL`), run migrate and load the files again."
        )


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("datasets", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(refuse_earlier, migrations.RunPython.noop),
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
                (
                    "position",
                    models.PositiveIntegerField(
                        editable=False, help_text="The row's place in its file, from 1."
                    ),
                ),
                ("hidden", models.BooleanField(default=False, help_text="Hidden rows appear in no answer.")),
                (
                    "vanished",
                    models.BooleanField(
                        default=False,
                        editable=False,
                        help_text="A curator changed this row, and its file no longer contains it.",
                    ),
                ),
                ("file_values", models.JSONField(editable=False, null=True)),
                (
                    "snapshot_day",
                    models.DateField(blank=True, default=datetime.date(1, 1, 1), editable=False),
                ),
                ("snapshot_date", models.CharField(blank=True, help_text="As written in the file.")),
                ("subject", models.CharField(blank=True, editable=False)),
                (
                    "query",
                    models.CharField(
                        blank=True, help_text="If empty, route, airline and season are used instead."
                    ),
                ),
                ("route", models.CharField(blank=True, help_text="For example JFK-LAX.")),
                ("origin_airport", models.CharField(blank=True, editable=False)),
                ("destination_airport", models.CharField(blank=True, editable=False)),
                ("airline", models.CharField(blank=True)),
                ("season", models.CharField(blank=True)),
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
                (
                    "combination",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
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
                        editable=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="datasets.load",
                    ),
                ),
                (
                    "notable_event",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="datasets.prosetext",
                    ),
                ),
            ],
            options={
                "verbose_name": "fare row",
                "verbose_name_plural": "fare rows",
                "ordering": ["-snapshot_day", "-subject", "-airline"],
                "abstract": False,
                "indexes": [
                    models.Index(
                        condition=models.Q(("hidden", False)),
                        fields=[
                            "-snapshot_day",
                            "-subject",
                            "-airline",
                            "load",
                            "position",
                            "id",
                            "combination",
                            "notable_event",
                        ],
                        name="airfare_farerow_by_order",
                    ),
                    models.Index(
                        condition=models.Q(("hidden", False)),
                        fields=["combination", "snapshot_day", "load", "notable_event"],
                        name="airfare_farerow_by_combination",
                    ),
                    models.Index(
                        fields=["notable_event", "hidden", "load", "snapshot_day", "combination"],
                        name="airfare_farerow_by_prose",
                    ),
                    models.Index(fields=["key"], name="airfare_farerow_by_key"),
                ],
            },
        ),
    ]
