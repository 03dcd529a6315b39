"""What the database's planner knows of the rows: without it, a plan is a guess that can be far off."""

from django.db import connection, transaction
from django.db.models import Sum

from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.models import Load

ROWS = 10_000
"""Rows of each index that SQLite reads, so that a million of them take no longer than that."""

_SHARE = 0.2
"""The share of all rows from which a load counts."""
_GROWTH = 1.5
"""How many times the rows that the planner knows there have to be when small loads count together."""


def refresh_for(data_set: DataSet, load: Load) -> None:
    """Let the planner examine the rows if there are many that it does not know."""
    if not load.rows:
        return
    known = _known(data_set)
    others = (
        Load.objects.filter(data_set=data_set.label).exclude(pk=load.pk).aggregate(rows=Sum("rows"))["rows"]
        or 0
    )
    if load.rows >= _SHARE * known or load.rows + others >= _GROWTH * known:
        refresh(data_set)


def _known(data_set: DataSet) -> int:
    """Return how many rows the planner knows of."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'")
            if cursor.fetchone() is None:
                return 0
            cursor.execute(
                "SELECT max(CAST(stat AS integer)) FROM sqlite_stat1 WHERE tbl = %s",
                [data_set.model._meta.db_table],
            )
        else:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [data_set.sql])
        (known,) = cursor.fetchone()
    return int(known or 0)


def are_many(data_set: DataSet, rows: int) -> bool:
    """Return whether so many rows that were written or deleted matter to the table."""
    return rows >= max(ROWS, _SHARE * _known(data_set))


def free_room(data_set: DataSet) -> None:
    """Let a load that begins now write where rows were deleted, if they are many.

    PostgreSQL does so itself a minute or more after they were; without it the table would grow meanwhile.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = %s::regclass", [data_set.sql]
        )
        if (found := cursor.fetchone()) and are_many(data_set, found[0]):
            cursor.execute(f"VACUUM (TRUNCATE false) {data_set.sql}")


def refresh(data_set: DataSet) -> None:
    """Let the planner examine the current rows.

    On PostgreSQL also mark the pages that everybody sees alike: for these, only indexes are read.
    """
    tables = (data_set.sql, "datasets_prosetext")
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            # Without returning pages at the end of a table, for which readers would have to wait.
            cursor.execute(f"VACUUM (ANALYZE, TRUNCATE false) {', '.join(tables)}")
        return
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA analysis_limit = {ROWS:d}")
        for table in tables:
            cursor.execute(f"ANALYZE {table}")
        if connection.vendor == "sqlite":
            # Other connections, those of a running server, read statistics only with the schema: they read
            # them again after it has changed.
            cursor.execute("CREATE TABLE datasets_analyzed (id integer)")
            cursor.execute("DROP TABLE datasets_analyzed")
