"""Rows to lines: mean fares and load factors over time for each airline, aggregated by the database.

Means rather than medians: they are what `airfare_fare_summary` gives, both databases know them, and means
of days make the exact mean of a month.
"""

import datetime
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

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
    with_figure = rows.filter(reduce(or_, FIGURES.values()))
    dated = with_figure.exclude(snapshot_day=NO_DAY)
    period, first_day = _period(dated)
    airlines, airline_count = _largest(dated, "airline", MOST_AIRLINES + MOST_NAMED)
    sizes = dict(airlines)
    drawn = list(sizes)[:MOST_AIRLINES]
    routes, route_count = _largest(rows.exclude(route=""), "route", MOST_ROUTES)
    points = _points(dated.filter(airline__in=drawn), first_day)
    dates = sorted({date for _, date in points})
    earlier = max(0, len(dates) - MOST_DATES)
    dates = dates[earlier:]
    return Trends(
        period=period,
        dates=[date.isoformat() for date in dates],
        earlier=earlier,
        lines=[
            Line(
                airline=airline,
                rows=sizes[airline],
                figures={
                    name: [_mean(points.get((airline, date)), name) for date in dates] for name in FIGURES
                },
            )
            for airline in drawn
        ],
        left_out=list(sizes)[MOST_AIRLINES:],
        left_out_count=airline_count - len(drawn),
        undated=with_figure.filter(snapshot_day=NO_DAY).count(),
        routes=[route for route, _ in routes],
        route_count=route_count,
        matched=queries.matched(filters, snapshot),
        total=snapshot.total,
        files=snapshot.files,
    )


def _largest(rows: QuerySet[FareRow], name: str, most: int) -> tuple[list[tuple[str, int]], int]:
    """The values of a field that most rows have, each with how many, and the number of all values."""
    values = 0

    def counted() -> Iterator[tuple[str, int]]:
        nonlocal values
        for each in rows.values_list(name).annotate(Count("id")).iterator(chunk_size=CHUNK):
            values += 1
            yield each

    return heapq.nsmallest(most, counted(), key=lambda each: (-each[1], each[0])), values


def _points(
    rows: QuerySet[FareRow], first_day: Callable[[datetime.date], datetime.date]
) -> dict[tuple[str, datetime.date], Counter[str]]:
    """Sums and numbers of the figures, by airline and the first day of the period."""
    sums = {f"{name}_sum": Sum(name, filter=condition) for name, condition in FIGURES.items()}
    counts = {f"{name}_count": Count(name, filter=condition) for name, condition in FIGURES.items()}
    points: dict[tuple[str, datetime.date], Counter[str]] = defaultdict(Counter)
    by_day = rows.values("airline", "snapshot_day").annotate(**sums, **counts)
    for each in by_day.iterator(chunk_size=CHUNK):
        figures: dict[str, Any] = dict(each)
        point = points[figures.pop("airline"), first_day(figures.pop("snapshot_day"))]
        point.update({name: value or 0 for name, value in figures.items()})
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


def _period(dated: QuerySet[FareRow]) -> tuple[str, Callable[[datetime.date], datetime.date]]:
    """The shortest period of which at most MOST_DATES have a figure; years, when none is short enough."""
    *shorter, longest = _PERIODS.items()
    firsts: dict[str, set[datetime.date]] = {name: set() for name, _ in shorter}
    days = dated.values_list("snapshot_day", flat=True).distinct()
    for day in days.iterator(chunk_size=CHUNK):
        for name in list(firsts):
            firsts[name].add(_PERIODS[name](day))
            if len(firsts[name]) > MOST_DATES:
                del firsts[name]
        if not firsts:
            return longest
    return next((each for each in shorter if each[0] in firsts), longest)
