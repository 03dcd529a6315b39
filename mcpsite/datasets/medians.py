"""The median of a column, computed by the database: PostgreSQL has it, SQLite gets it from here."""

import math
from array import array
from statistics import median
from typing import Any

from django.db.models import Aggregate, FloatField

MOST = 1_000_000
"""Numbers of one group that SQLite may hold in memory, 8 bytes each; the median of more is infinite."""


class Median(Aggregate):
    """The middle one of the existing numbers, or the mean of the middle two."""

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
    """Add to a new SQLite connection the function that `Median` calls (signal `connection_created`)."""
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
