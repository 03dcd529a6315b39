"""Rows to lines: mean fares and load factors over time for each airline, aggregated by the database.

Means rather than medians: they are what `airfare_fare_summary` gives, both databases know them, and means
of days make the exact mean of a month.
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

from django.db.models import Aggregate, Count, Q, QuerySet, Sum

from airfare import dimensions, queries
from airfare.dimensions import Snapshot
from airfare.models import NO_DAY, FareRow
from airfare.queries import Filters
from mcpsite.access.policies import Principal

MOST_AIRLINES = 8
"""Lines that can still be told apart; the airlines with the most rows are drawn."""
MOST_DATES = 60
"""Points of one line; more days are put together to weeks, months, quarters or years."""
MOST_ROUTES = 40
"""Routes that an answer names."""
MOST_NAMED = 10
"""Airlines that are named of those that are not drawn."""
CHUNK = 2_000

FIGURES = {
    "avg_fare_usd": Q(avg_fare_usd__isnull=False),
    "premium_fare_usd": Q(premium_fare_usd__gt=0),
    "load_factor_pct": Q(load_factor_pct__isnull=False),
}
"""What is drawn, and which values take part: a premium fare of 0 says that there is no premium cabin."""
DECIMALS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """An airline's figures, one for each date of the trends; None where no row has one."""

    airline: str
    """Empty for rows that name none."""
    rows: int
    figures: dict[str, list[float | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trends:
    """The rows that match, as lines over time."""

    period: str
    """What one date stands for: day, week, month, quarter or year."""
    dates: list[str]
    """The first day of each period that has a figure, in order."""
    lines: list[Line]
    """By number of rows, most first."""
    left_out: list[str]
    """Airlines beyond MOST_AIRLINES, MOST_NAMED at most."""
    left_out_count: int
    earlier: int
    """Dates before those that are told: years, where there are more than MOST_DATES of them."""
    undated: int
    """Rows with a fare whose date is missing or impossible: they stand at no time."""
    routes: list[str]
    """The routes of the rows, by number of rows, most first, MOST_ROUTES at most."""
    route_count: int
    matched: int
    total: int
    files: list[str]


def trends(filters: Filters, principal: Principal | None) -> Trends:
    """The trends of the matching rows of files that `principal` may read; with None, of every file."""
    return dimensions.computed(principal, ("trends", filters), partial(_trends, filters))[0]


def _trends(filters: Filters, snapshot: Snapshot) -> Trends:
    rows = queries.queryset(filters, snapshot).order_by()
    airlines, passed = _airlines(rows.filter(reduce(or_, FIGURES.values())))
    period, first_day = _period(passed.days)
    drawn = airlines[:MOST_AIRLINES]
    lines = [_points(airline, first_day) for airline in drawn]
    dates = sorted(set().union(*lines))
    earlier = max(0, len(dates) - MOST_DATES)
    dates = dates[earlier:]
    routes, route_count = _routes(filters, rows, snapshot)
    return Trends(
        period=period,
        dates=[date.isoformat() for date in dates],
        earlier=earlier,
        lines=[
            Line(
                airline=airline.name,
                rows=airline.rows,
                figures={name: [_mean(points.get(date), name) for date in dates] for name in FIGURES},
            )
            for airline, points in zip(drawn, lines, strict=True)
        ],
        left_out=[airline.name for airline in airlines[MOST_AIRLINES:]],
        left_out_count=passed.airlines - len(drawn),
        undated=passed.undated,
        routes=routes,
        route_count=route_count,
        matched=queries.matched(filters, snapshot),
        total=snapshot.total,
        files=snapshot.files,
    )


_AGGREGATES: dict[str, Aggregate] = {
    f"{name}_{kind}": aggregate(name, filter=condition)
    for name, condition in FIGURES.items()
    for kind, aggregate in (("sum", Sum), ("count", Count))
}


@dataclass(frozen=True, slots=True)
class _Airline:
    """An airline's rows that have a figure and a day."""

    name: str
    rows: int
    by_day: dict[datetime.date, tuple[float | None, ...]]
    """The values of _AGGREGATES."""


@dataclass(slots=True)
class _Passed:
    """What was passed on the way through all airlines."""

    days: set[datetime.date] = field(default_factory=set)
    airlines: int = 0
    undated: int = 0


def _airlines(rows: QuerySet[FareRow]) -> tuple[list[_Airline], _Passed]:
    """The airlines with the most rows, as many as are drawn or named, in one pass over all rows."""
    names = ("airline", "snapshot_day")
    grouped = rows.values_list(*names).annotate(Count("id"), **_AGGREGATES).order_by(*names)
    passed = _Passed()

    def airlines() -> Iterator[_Airline]:
        for name, groups in groupby(grouped.iterator(chunk_size=CHUNK), itemgetter(0)):
            numbers, by_day = {}, {}
            for _, day, number, *aggregates in groups:
                numbers[day] = number
                by_day[day] = tuple(aggregates)
            passed.undated += numbers.pop(NO_DAY, 0)
            by_day.pop(NO_DAY, None)
            if numbers:
                passed.airlines += 1
                passed.days.update(numbers)
                yield _Airline(name, sum(numbers.values()), by_day)

    most = heapq.nsmallest(MOST_AIRLINES + MOST_NAMED, airlines(), key=lambda each: (-each.rows, each.name))
    return most, passed


def _routes(filters: Filters, rows: QuerySet[FareRow], snapshot: Snapshot) -> tuple[list[str], int]:
    """The routes with the most rows, most first, and the number of all."""
    if filters.first_day or filters.notable_contains:
        counted = dict(rows.exclude(route="").values_list("route").annotate(Count("id")))
    else:
        counted = snapshot.rows_by("route", queries.chosen_by(filters, snapshot))
        counted.pop("", None)
    most = heapq.nsmallest(MOST_ROUTES, counted.items(), key=lambda each: (-each[1], each[0]))
    return [route for route, _ in most], len(counted)


def _points(
    airline: _Airline, first_day: Callable[[datetime.date], datetime.date]
) -> dict[datetime.date, Any]:
    """An airline's sums and numbers of the figures, by the first day of the period."""
    points: dict[datetime.date, Any] = defaultdict(Counter)
    for day, values in airline.by_day.items():
        known = {name: value for name, value in zip(_AGGREGATES, values, strict=True) if value}
        points[first_day(day)].update(known)
    return points


def _mean(point: Any, name: str) -> float | None:
    if not point or not point[f"{name}_count"]:
        return None
    mean = round(point[f"{name}_sum"] / point[f"{name}_count"], DECIMALS)
    return int(mean) if mean.is_integer() else mean


_PERIODS: dict[str, Callable[[datetime.date], datetime.date]] = {
    "day": lambda day: day,
    "week": lambda day: day - datetime.timedelta(days=min(day.weekday(), day.toordinal() - 1)),
    "month": lambda day: day.replace(day=1),
    "quarter": lambda day: day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
    "year": lambda day: day.replace(month=1, day=1),
}
"""From a day to the first day of its period."""


def _period(days: Collection[datetime.date]) -> tuple[str, Callable[[datetime.date], datetime.date]]:
    """The shortest period of which at most MOST_DATES have a figure; years, when none is short enough."""
    *shorter, longest = _PERIODS.items()
    return next((each for each in shorter if len(set(map(each[1], days))) <= MOST_DATES), longest)
