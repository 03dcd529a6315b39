"""The database: reachable, migrated, and with something in it to publish."""

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor

from access.doctor.findings import Finding
from mcpsite.outage import explain


def about_database() -> Iterator[Finding]:
    """Whether the database answers, has its tables, and holds something to publish."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError) as error:
        yield Finding(
            id="database-unreachable",
            level="error",
            what=explain(error) or "The database cannot be used.",
            change="Check DATABASE_URL and whether the database runs.",
        )
        return
    if waiting:
        yield Finding(
            id="migrations-missing",
            level="error",
            what=f"{len(waiting)} migrations are not applied, so tools fail.",
            change="Run manage.py migrate.",
        )
        return
    yield from default_group()
    yield from data_present()


def default_group() -> Iterator[Finding]:
    name = settings.ACCESS_DEFAULT_GROUP
    if name and not Group.objects.filter(name=name).exists():
        yield Finding(
            id="default-group-missing",
            level="error",
            what=f"ACCESS_DEFAULT_GROUP is {name}, but there is no such group; new people may do nothing.",
            change="Make the group in the admin, or correct ACCESS_DEFAULT_GROUP.",
        )


def data_present() -> Iterator[Finding]:
    rows = apps.get_model("airfare", "FareRow")._default_manager.count()
    transcripts = apps.get_model("transcripts", "Transcript")._default_manager.filter(published=True).count()
    if not rows:
        yield Finding(
            id="airfare-empty",
            level="warning",
            what="There are no airfare rows.",
            change="Run manage.py load_airfare, with TREND_DATA_DIR set to your files.",
        )
    if not transcripts:
        yield Finding(
            id="transcripts-empty",
            level="warning",
            what="There are no published transcripts, so search finds nothing.",
            change="Run manage.py upload_transcripts, or publish some in the admin.",
        )
    if rows and transcripts:
        yield Finding(
            id="data",
            level="ok",
            what=f"The database holds {rows:,} airfare rows, {transcripts:,} transcripts.",
        )
