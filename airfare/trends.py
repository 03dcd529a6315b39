"""Rows to lines: mean fares and load factors over time for each airline, aggregated by the database.

Means rather than medians: they are what `airfare_fare_summary` gives, both databases know them, and means
of days make the exact mean of a month.
"""

import datetime
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Count, Q, Sum

from access.policies import Who
from airfare import dimensions, queries
from airfare.dimensions import Snapshot
from airfare.models import NO_DAY
from airfare.queries import Filters

MOST_AIRLINES = 8
"""Lines that can still be told apart; the airlines with the most rows are drawn."""
MOST_DATES = 60
"""Points of one line; more days are put together to weeks, months, quarters or years."""
MOST_ROUTES = 40
"""Routes that an answer names."""

FIGURES = {"avg_fare_usd": Q(), "premium_fare_usd": Q(premium_fare_usd__gt=0), "load_factor_pct": Q()}
"""What is drawn, and which values take part: a premium fare of 0 says that there is no premium cabin."""
DECIMALS = 2

Sums = tuple[int, list[float], list[int]]
"""Rows, and for each figure the sum and the number of its values."""


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
    """Airlines beyond MOST_AIRLINES."""
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


def trends(filters: Filters, who: Who | None) -> Trends:
    """The trends of the matching rows of files that `who` may read; with None, of every file."""
    return dimensions.computed(who, ("trends", filters), partial(_trends, filters))[0]


def _trends(filters: Filters, snapshot: Snapshot) -> Trends:
    rows = queries.queryset(filters, snapshot)
    sums = {f"{name}_sum": Sum(name, filter=taken or None) for name, taken in FIGURES.items()}
    counts = {f"{name}_count": Count(name, filter=taken or None) for name, taken in FIGURES.items()}
    by_day = rows.order_by().values("airline", "snapshot_day").annotate(rows=Count("id"), **sums, **counts)
    routes = Counter[str]()
    for route, number in rows.order_by().values_list("route").annotate(Count("id")):
        routes[route] = number
    matched = sum(routes.values())
    del routes[""]
    days: list[dict[str, Any]] = [dict(each) for each in by_day]
    days = [each for each in days if any(each[name] for name in counts)]
    undated = sum(each["rows"] for each in days if each["snapshot_day"] == NO_DAY)
    days = [each for each in days if each["snapshot_day"] != NO_DAY]
    period, first_day = _period({each["snapshot_day"] for each in days})
    points: dict[str, dict[datetime.date, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    sizes = Counter[str]()
    for each in days:
        point = points[each["airline"]][first_day(each["snapshot_day"])]
        point.update({name: each[name] or 0 for name in (*sums, *counts)})
        sizes[each["airline"]] += each["rows"]
    airlines = sorted(sizes, key=lambda airline: (-sizes[airline], airline))
    drawn = airlines[:MOST_AIRLINES]
    dates = sorted({date for airline in drawn for date in points[airline]})
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
                    name: [_mean(points[airline].get(date), name) for date in dates] for name in FIGURES
                },
            )
            for airline in drawn
        ],
        left_out=airlines[MOST_AIRLINES:],
        undated=undated,
        routes=[route for route, _ in sorted(routes.items(), key=lambda item: (-item[1], item[0]))][
            :MOST_ROUTES
        ],
        route_count=len(routes),
        matched=matched,
        total=snapshot.total,
        files=snapshot.files,
    )


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


def _period(days: set[datetime.date]) -> tuple[str, Callable[[datetime.date], datetime.date]]:
    """The shortest period of which at most MOST_DATES have a figure; years, when none is short enough."""
    *shorter, longest = _PERIODS.items()
    for name, first_day in shorter:
        if len({first_day(day) for day in days}) <= MOST_DATES:
            return name, first_day
    return longest
