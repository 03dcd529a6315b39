"""The database: reachable, migrated, and with something in it to publish."""

from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor

from mcpsite.core.contributions import contributed
from mcpsite.core.findings import Finding
from mcpsite.core.outage import explain


def about_database() -> Iterator[Finding]:
    """Yield whether the database answers, has its tables, and has something to publish."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError) as error:
        yield Finding(
            id="database-unreachable",
            level="error",
            what=explain(error) or "The database cannot be used.",
            change="Check DATABASE_URL and whether the database is running.",
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
    for about_data in contributed("doctor", "about_data"):
        yield from about_data()


def default_group() -> Iterator[Finding]:
    name = settings.ACCESS_DEFAULT_GROUP
    if name and not Group.objects.filter(name=name).exists():
        yield Finding(
            id="default-group-missing",
            level="error",
            what=f"ACCESS_DEFAULT_GROUP is {name}, but there is no such group; new people have no access.",
            change="Create the group in the admin, or correct ACCESS_DEFAULT_GROUP.",
        )
