"""The median of a column, found by the database: PostgreSQL has it, SQLite is given it."""

import math
from array import array
from statistics import median
from typing import Any

from django.db.models import Aggregate, FloatField

MOST = 1_000_000
"""Numbers of one group that SQLite may hold in memory, 8 bytes each; the median of more is infinite."""


class Median(Aggregate):
    """The number in the middle of those that there are, or the mean of the two that are."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler,
            connection,
            function="MCPSITE_MEDIAN",
            template="%(function)s(%(expressions)s)",
            **context,
        )


def add_to_sqlite(*, connection: Any, **_: Any) -> None:
    """Teach a new connection to SQLite the function that `Median` calls (signal `connection_created`)."""
    if connection.vendor == "sqlite":
        connection.connection.create_aggregate("MCPSITE_MEDIAN", 1, _Numbers)


class _Numbers:
    """The numbers of a group, for SQLite."""

    def __init__(self) -> None:
        self._numbers = array("d")

    def step(self, number: Any) -> None:
        if isinstance(number, int | float) and len(self._numbers) <= MOST:
            self._numbers.append(number)

    def finalize(self) -> float | None:
        if len(self._numbers) > MOST:
            return math.inf
        return median(self._numbers) if self._numbers else None
