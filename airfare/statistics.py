"""What the database's planner knows of the rows: without it, a plan is a guess that can be far off."""

from django.db import connection, transaction

ROWS = 10_000
"""Rows of each index that SQLite looks at, so that a million of them take no longer than that."""
_TABLES = ("airfare_farerow", "airfare_notabletext")


def refresh() -> None:
    """Let the planner look at the rows there are now."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA analysis_limit = {ROWS:d}")
        for table in _TABLES:
            cursor.execute(f"ANALYZE {table}")
        if connection.vendor == "sqlite":
            # Other connections, those of a running server, read statistics with the schema alone: they
            # look again when it has changed.
            cursor.execute("CREATE TABLE airfare_analyzed (id integer)")
            cursor.execute("DROP TABLE airfare_analyzed")
