"""Rows to lines: means of numbers over time for each value of a category, aggregated by the database.

Means rather than medians: they are the same as in summaries, both databases know them, and means of days give
the exact mean of a month.
"""

import datetime
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial, reduce
from itertools import groupby
from operator import itemgetter, or_
from typing import Any

from django.db.models import Aggregate, Count, F, Q, QuerySet, Sum, Value

from mcpsite.access.policies import Principal
from mcpsite.datasets import queries, snapshots
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.filters import Filters
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.snapshots import Snapshot

MOST_LINES = 8
"""The most lines that can be distinguished; those with the most rows are drawn."""
MOST_DATES = 60
"""Points of one line; more days are combined into weeks, months, quarters or years."""
MOST_VALUES = 40
"""Values of another category that an answer names."""
MOST_NAMED = 10
"""How many of the lines that are not drawn are named."""
CHUNK = 2_000
DECIMALS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """What is drawn of a data set."""

    line: str
    """The category whose values are the lines; empty for one line of all rows."""
    figures: tuple[tuple[str, Q], ...]
    """The numbers to draw, and for each the rows that take part."""
    beside: str = ""
    """The category whose values are named beside the lines; empty for none."""

    def __hash__(self) -> int:
        return hash((self.line, tuple(name for name, _ in self.figures), self.beside))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.figures)

    @property
    def aggregates(self) -> dict[str, Aggregate]:
        # Sums and counts pass over what is empty anyway.
        return {
            f"mcpsite_{name}_{kind}": aggregate(
                name, filter=None if condition == Q(**{f"{name}__isnull": False}) else condition
            )
            for name, condition in self.figures
            for kind, aggregate in (("sum", Sum), ("count", Count))
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """The figures of one value, one for each date of the trends; None if no row has one."""

    value: str
    """Empty for rows without one."""
    rows: int
    figures: dict[str, list[float | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trends:
    """The matching rows, as lines over time."""

    period: str
    """The period of a date: day, week, month, quarter or year."""
    dates: list[str]
    """The first day of each period that has a figure, in order."""
    lines: list[Line]
    """By number of rows, most first."""
    left_out: list[str]
    """Values beyond MOST_LINES, MOST_NAMED at most."""
    left_out_count: int
    earlier: int
    """Dates before those in the answer: years, if there are more than MOST_DATES of them."""
    undated: int
    """Rows with a figure whose date is missing or impossible: they are in no period."""
    beside: list[str]
    """The values of `Drawing.beside` in the rows, by number of rows, most first, MOST_VALUES at most."""
    beside_count: int
    matched: int
    total: int
    files: list[str]


def trends(data_set: DataSet, filters: Filters, who: Principal | None, drawing: Drawing) -> Trends:
    """Return the trends of the matching rows of files that `who` may read; with None, of every file."""
    key = ("trends", filters, drawing)
    return snapshots.computed(data_set, who, key, partial(_trends, filters, drawing))[0]


def _trends(filters: Filters, drawing: Drawing, snapshot: Snapshot) -> Trends:
    rows = queries.queryset(filters, snapshot).order_by()
    any_figure = reduce(or_, (condition for _, condition in drawing.figures))
    values, passed = _values(snapshot.data_set, rows.filter(any_figure), drawing)
    period, first_day = _period(passed.days)
    drawn = values[:MOST_LINES]
    lines = [_points(drawing, value, first_day) for value in drawn]
    dates = sorted(set().union(*lines))
    earlier = max(0, len(dates) - MOST_DATES)
    dates = dates[earlier:]
    beside, beside_count = _beside(filters, rows, drawing, snapshot)
    return Trends(
        period=period,
        dates=[date.isoformat() for date in dates],
        earlier=earlier,
        lines=[
            Line(
                value=value.name,
                rows=value.rows,
                figures={name: [_mean(points.get(date), name) for date in dates] for name in drawing.names},
            )
            for value, points in zip(drawn, lines, strict=True)
        ],
        left_out=[value.name for value in values[MOST_LINES:]],
        left_out_count=passed.values - len(drawn),
        undated=passed.undated,
        beside=beside,
        beside_count=beside_count,
        matched=queries.matched(filters, snapshot),
        total=snapshot.total,
        files=snapshot.files,
    )


@dataclass(frozen=True, slots=True)
class _Value:
    """The rows of a value that have a figure and a day."""

    name: str
    rows: int
    by_day: dict[datetime.date, tuple[float | None, ...]]
    """The values of `Drawing.aggregates`."""


@dataclass(slots=True)
class _Passed:
    """What was counted on the way through all values."""

    days: set[datetime.date] = field(default_factory=set)
    values: int = 0
    undated: int = 0


def _values(data_set: DataSet, rows: QuerySet[Any], drawing: Drawing) -> tuple[list[_Value], _Passed]:
    """Return the values with the most rows, as many as are drawn or named, in one pass over all rows."""
    line = drawing.line or Value("")
    keys: dict[str, Any] = {"mcpsite_line": line, "mcpsite_day": data_set.day}
    keyed = rows.annotate(**{name: F(key) if isinstance(key, str) else key for name, key in keys.items()})
    grouped = keyed.values_list(*keys).annotate(mcpsite_rows=Count("*"), **drawing.aggregates).order_by(*keys)
    passed = _Passed()

    def values() -> Iterator[_Value]:
        for name, groups in groupby(grouped.iterator(chunk_size=CHUNK), itemgetter(0)):
            numbers, by_day = {}, {}
            for _, day, number, *aggregates in groups:
                numbers[day] = number
                by_day[day] = tuple(aggregates)
            passed.undated += numbers.pop(NO_DAY, 0)
            by_day.pop(NO_DAY, None)
            if numbers:
                passed.values += 1
                passed.days.update(numbers)
                yield _Value(name, sum(numbers.values()), by_day)

    most = heapq.nsmallest(MOST_LINES + MOST_NAMED, values(), key=lambda each: (-each.rows, each.name))
    return most, passed


def _beside(
    filters: Filters, rows: QuerySet[Any], drawing: Drawing, snapshot: Snapshot
) -> tuple[list[str], int]:
    """Return the values of `Drawing.beside` with the most rows, most first, and the number of all."""
    name = drawing.beside
    if not name:
        return [], 0
    proses = snapshot.data_set.proses
    if filters.days or filters.ranges or any(part.column in proses for part in filters.parts):
        counted = dict(rows.exclude(**{name: ""}).values_list(name).annotate(Count("id")))
    else:
        counted = snapshot.rows_by(name, queries.chosen_by(filters, snapshot))
        counted.pop("", None)
    most = heapq.nsmallest(MOST_VALUES, counted.items(), key=lambda each: (-each[1], each[0]))
    return [value for value, _ in most], len(counted)


def _points(
    drawing: Drawing, value: _Value, first_day: Callable[[datetime.date], datetime.date]
) -> dict[datetime.date, Any]:
    """Return a value's sums and numbers of the figures, by the first day of the period."""
    points: dict[datetime.date, Any] = defaultdict(Counter)
    names = tuple(drawing.aggregates)
    for day, values in value.by_day.items():
        known = {name: found for name, found in zip(names, values, strict=True) if found}
        points[first_day(day)].update(known)
    return points


def _mean(point: Any, name: str) -> float | None:
    if not point or not point[f"mcpsite_{name}_count"]:
        return None
    mean = round(point[f"mcpsite_{name}_sum"] / point[f"mcpsite_{name}_count"], DECIMALS)
    return int(mean) if mean.is_integer() else mean


_PERIODS: dict[str, Callable[[datetime.date], datetime.date]] = {
    "day": lambda day: day,
    "week": lambda day: day - datetime.timedelta(days=min(day.weekday(), day.toordinal() - 1)),
    "month": lambda day: day.replace(day=1),
    "quarter": lambda day: day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
    "year": lambda day: day.replace(month=1, day=1),
}
"""For each period, a function from a day to the first day of its period."""


def _period(days: Collection[datetime.date]) -> tuple[str, Callable[[datetime.date], datetime.date]]:
    """Return the shortest period of which at most MOST_DATES have a figure; else years."""
    *shorter, longest = _PERIODS.items()
    return next((each for each in shorter if len(set(map(each[1], days))) <= MOST_DATES), longest)
