"""A queryset's own SQL, kept and run again, because making it takes longer than many an answer."""

import datetime
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from mcpsite.core.postgresql import prepared_rows
from mcpsite.datasets.expressions import Blank


@lru_cache(maxsize=10_000)
def ordinal(day: datetime.date | str) -> int:
    """Return the ordinal of a day from a statement, which is a text on SQLite."""
    return (datetime.date.fromisoformat(day) if isinstance(day, str) else day).toordinal()


class Statement:
    """The selection of a queryset with `Blank` parameters, between a prefix and a suffix of SQL.

    Returns plain tuples, without the conversions of fields.
    """

    def __init__(
        self, rows: QuerySet[Any, Any], prefix: str = "", suffix: str = "", *, prepared: bool = False
    ) -> None:
        """Make the SQL. With `prepared`, PostgreSQL plans it once, whatever the parameters will be."""
        sql, self._parameters = rows.query.sql_with_params()
        self._sql = prefix + sql + suffix
        self._prepared = prepared

    def run(self, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows for the parameters `given` by name."""
        parameters = [given[each.name] if isinstance(each, Blank) else each for each in self._parameters]
        if self._prepared:
            return prepared_rows(connection, self._sql, parameters)
        with connection.cursor() as cursor:
            cursor.execute(self._sql, parameters)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
