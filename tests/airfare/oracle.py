"""What the answers about fares have to be, in plain Python over rows in memory: slow and plain to see.

It knows nothing of the database and takes from the code under test only what a question is called.
"""

import datetime
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcpsite.datasets.filters import Filters

Values = dict[str, Any]

NUMBERS = ("avg_fare_usd", "premium_fare_usd", "load_factor_pct")
COLUMNS = ("snapshot_date", "route", "airline", "season", "query", "region", *NUMBERS, "notable_event")
"""The columns of the files that are loaded."""


@dataclass(kw_only=True, eq=False)
class File:
    """A file, and the groups that its rows are for; with none they are for everybody."""

    name: str
    rows: "list[Row]" = field(default_factory=list)
    vanished: "list[Row]" = field(default_factory=list)
    """Rows that the file holds no longer, and that are still here because a curator touched them."""
    groups: set[int] = field(default_factory=set)

    @property
    def published(self) -> "list[Row]":
        return [row for row in [*self.rows, *self.vanished] if not row.hidden]


@dataclass(kw_only=True, eq=False)
class Row:
    """A row: what its file says, and what a curator made of that."""

    given: Values
    edits: Values = field(default_factory=dict)
    hidden: bool = False
    position: int = 0

    @property
    def curated(self) -> bool:
        return self.hidden or bool(self.edits)

    def edit(self, values: Values) -> None:
        """Change fields; one that gets the file's value is no longer edited."""
        self.edits |= values
        self.edits = {name: value for name, value in self.edits.items() if value != self.given[name]}


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Somebody who asks: the groups they are in, or everything there is."""

    groups: frozenset[int] = frozenset()
    everything: bool = False
    nothing: bool = False

    def files(self, files: Sequence[File]) -> list[File]:
        """Those of `files` that they may read, by name."""
        return sorted(
            (
                file
                for file in files
                if self.everything or (not self.nothing and (not file.groups or file.groups & self.groups))
            ),
            key=lambda file: file.name,
        )


class Fare:
    """A row as it is published, with what follows from its fields."""

    def __init__(self, file: File, row: Row) -> None:
        self.file = file.name
        self.position = row.position
        self.values = values = row.given | row.edits
        if "" not in airports_of(values["route"]):
            values["route"] = "-".join(airports_of(values["route"]))
        for name in ("route", "airline", "season", "notable_event"):
            setattr(self, name, values[name])
        self.day = day_of(values["snapshot_date"])
        self.origin_airport, self.destination_airport = airports_of(self.route)
        named = " ".join(filter(None, (self.airline, self.season)))
        self.subject = self.route or values["query"] or named or file.name
        self.snapshot_date = str(self.day) if self.day else values["snapshot_date"]
        self.folded = {
            name: getattr(self, name).casefold() for name in ("route", "airline", "season", "notable_event")
        }

    route: str
    airline: str
    season: str
    notable_event: str

    def matches(self, filters: Filters) -> bool:
        for name, needle, exact in filters.parts:
            if not (getattr(self, name) == needle if exact else needle.casefold() in self.folded[name]):
                return False
        return all(self.day is not None and first <= self.day < end for _, first, end in filters.days)

    def shown(self) -> Values:
        """The row as an answer holds it: what says nothing is left out."""
        shown = {
            **self.values,
            "origin_airport": self.origin_airport,
            "destination_airport": self.destination_airport,
            "source_file": self.file,
        }
        if self.route or self.airline:
            shown["notable_driver"] = self.notable_event
        named = " ".join(filter(None, (self.route, self.airline, self.season)))
        shown["query"] = self.values["query"] or named or self.file
        return {name: value for name, value in shown.items() if value not in ("", None)}


class Oracle:
    """Every answer about `files` as they are now, for one reader."""

    def __init__(self, files: Sequence[File], reader: Reader) -> None:
        visible = reader.files(files)
        fares = [Fare(file, row) for file in visible for row in file.published]
        # From the last key to the first, for each has a direction of its own.
        fares.sort(key=lambda fare: (fare.file, fare.position))
        fares.sort(key=lambda fare: (fare.day or datetime.date.min, fare.subject, fare.airline), reverse=True)
        self.fares = fares
        self.files = [file.name for file in visible]

    def matching(self, filters: Filters) -> list[Fare]:
        """The rows that match, in the order of an answer."""
        return [fare for fare in self.fares if fare.matches(filters)]

    def groups(self, filters: Filters, group_by: Sequence[str], metrics: Sequence[str]) -> list[Values]:
        """The matching rows in groups, each with its keys, its number of rows and its metrics."""
        found: dict[tuple[str, ...], list[Fare]] = defaultdict(list)
        for fare in self.matching(filters):
            found[tuple(getattr(fare, name) for name in group_by)].append(fare)
        ordered = list(found)
        for place, name in reversed(list(enumerate(group_by))):
            ordered.sort(key=lambda key: key[place], reverse=name == "snapshot_date")
        groups = []
        for key in ordered:
            figures = {metric: _figure(metric, found[key]) for metric in metrics}
            keys = {name: value for name, value in zip(group_by, key, strict=True) if value}
            given = {name: value for name, value in figures.items() if value is not None}
            groups.append({**keys, "rows": len(found[key]), **given})
        return groups

    def trends(self, filters: Filters) -> Values:
        """The matching rows as lines, one for each airline."""
        matching = self.matching(filters)
        with_figure = [fare for fare in matching if any(_drawn(fare, name) is not None for name in NUMBERS)]
        dated = [(fare, fare.day) for fare in with_figure if fare.day]
        period, first_day = _period({day for _, day in dated})
        airlines = Counter(fare.airline for fare, _ in dated)
        ordered = sorted(airlines, key=lambda name: (-airlines[name], name))
        drawn, left_out = ordered[:8], ordered[8:]
        points: dict[tuple[str, datetime.date], list[Fare]] = defaultdict(list)
        for fare, day in dated:
            if fare.airline in drawn:
                points[fare.airline, first_day(day)].append(fare)
        dates = sorted({date for _, date in points})
        routes = Counter(fare.route for fare in matching if fare.route)

        def line(airline: str) -> Values:
            return {
                "value": airline,
                "rows": airlines[airline],
                "figures": {
                    name: [
                        _mean([_drawn(fare, name) for fare in points[airline, date]], 2)
                        for date in dates[-60:]
                    ]
                    for name in NUMBERS
                },
            }

        return {
            "period": period,
            "dates": [str(date) for date in dates[-60:]],
            "lines": [line(airline) for airline in drawn],
            "left_out": left_out[:10],
            "left_out_count": len(left_out),
            "earlier": len(dates[:-60]),
            "undated": len(with_figure) - len(dated),
            "beside": sorted(routes, key=lambda name: (-routes[name], name))[:40],
            "beside_count": len(routes),
            "matched": len(matching),
            "total": len(self.fares),
            "files": self.files,
        }


def day_of(text: str) -> datetime.date | None:
    """The day that a file writes as 2025-01-06, 2025/01/06 or 2025-W02."""
    try:
        if re.fullmatch(r"\d{4}-W\d\d", text):
            return datetime.datetime.strptime(f"{text}-1", "%G-W%V-%u").date()
        return datetime.datetime.strptime(text.replace("/", "-"), "%Y-%m-%d").date()
    except ValueError:
        return None


def airports_of(route: str) -> tuple[str, str]:
    if re.fullmatch(r"[A-Za-z]{3}-[A-Za-z]{3}", route):
        return route[:3].upper(), route[4:].upper()
    return "", ""


def _figure(metric: str, fares: Sequence[Fare]) -> float | None:
    name, _, statistic = metric.rpartition("_")
    values = [fare.values[name] for fare in fares if fare.values.get(name) is not None]
    if statistic == "count":
        return len(values)
    if statistic == "mean":
        return _mean(values, 4)
    return {"min": min, "max": max}[statistic](values) if values else None


def _drawn(fare: Fare, name: str) -> float | None:
    """The figure that a line is drawn through; a premium fare of 0 is none."""
    value: float | None = fare.values[name]
    return None if name == "premium_fare_usd" and value == 0 else value


def _mean(values: Sequence[float | None], decimals: int) -> float | None:
    given = [value for value in values if value is not None]
    return round(sum(given) / len(given), decimals) if given else None


def _period(days: set[datetime.date]) -> tuple[str, Callable[[datetime.date], datetime.date]]:
    """The shortest period of which there are at most 60; else years."""
    periods: dict[str, Callable[[datetime.date], datetime.date]] = {
        "day": lambda day: day,
        "week": lambda day: day - datetime.timedelta(days=day.weekday()),
        "month": lambda day: datetime.date(day.year, day.month, 1),
        "quarter": lambda day: datetime.date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
        "year": lambda day: datetime.date(day.year, 1, 1),
    }
    for name, first_day in periods.items():
        if len({first_day(day) for day in days}) <= 60:
            return name, first_day
    return "year", periods["year"]
