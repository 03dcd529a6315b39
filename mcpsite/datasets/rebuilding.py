"""The indexes of a table on PostgreSQL, made anew after many of its rows were deleted.

A deleted row leaves room in its table that the next load uses, but the pages of an index are used again only
for neighbouring values. So with each load the indexes would grow, up to three times their size.
"""

import logging
from collections.abc import Iterator

from django.db import DatabaseError, connection

from mcpsite.core import exclusive
from mcpsite.datasets import statistics
from mcpsite.datasets.declaration import DataSet

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5
"""How long each step may wait for transactions that began before, such as a back-up's."""


def rebuild_indexes(data_set: DataSet, deleted: int) -> Iterator[None]:
    """Rebuild the indexes if the `deleted` rows are many, and yield after each.

    Nobody waits for it, neither readers nor writers. What cannot be done now is for the next time.
    Behind a pooler, whose connections keep no setting, nothing is done.
    """
    if (
        connection.vendor != "postgresql"
        or connection.in_atomic_block
        or connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
        or not statistics.are_many(data_set, deleted)
    ):
        return
    with exclusive.alone(f"rebuild {data_set.label}", wait=False) as got:
        if not got:
            return
        for name, is_valid in _indexes(data_set):
            # What an earlier rebuild left that was interrupted is of no use.
            step = "REINDEX INDEX CONCURRENTLY" if is_valid else "DROP INDEX CONCURRENTLY IF EXISTS"
            try:
                _run(f"{step} {name}")
            except DatabaseError as error:
                # Something else takes too long, or the tables belong to another role.
                cause = type(error.__cause__ or error).__name__
                logger.info("The indexes of %s were not rebuilt (%s).", data_set.label, cause)
                return
            yield


def _indexes(data_set: DataSet) -> list[tuple[str, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = %s::regclass "
            "ORDER BY indexrelid",
            [data_set.sql],
        )
        return list(cursor.fetchall())


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{PATIENCE_SECONDS}s'")
        try:
            cursor.execute(statement)
        finally:
            cursor.execute("RESET lock_timeout")
