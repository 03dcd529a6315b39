"""What the cells of a table mean: columns with many names become the fields of a fare row.

Work is done column by column over a batch, with what was seen before remembered, because that is
several times as fast as row by row: the values of most columns repeat.
"""

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from airfare.models import NO_DAY
from airfare.parsing import Batch, RefusedFile
from mcpsite.core.texts import clean

TEXTS: dict[str, tuple[str, ...]] = {
    "snapshot_date": ("snapshot_date", "date", "week", "week_id", "period"),
    "route": ("route",),
    "airline": ("airline",),
    "season": ("season",),
    "query": ("query", "keyword", "term", "search_term"),
    "region": ("region", "region_name", "geo"),
    "provider": ("provider",),
    "collection_window": ("collection_window",),
    "query_count": ("query_count",),
    "week_id": ("week_id",),
    "linked_tickers": ("linked_tickers",),
    "notable_event": ("notable_driver", "notable_event", "notes", "channel_checks", "processing_notes"),
    "category": ("category",),
    "topic": ("topic",),
}
"""The columns that give each text field; the first that is not empty wins."""

NUMBERS: dict[str, tuple[str, ...]] = {
    "search_index": ("search_index", "index", "score"),
    "branding_mix": ("branding_mix", "mix_share", "implied_unit_sales_impact", "metric"),
    "avg_fare_usd": ("avg_fare_usd",),
    "premium_fare_usd": ("premium_fare_usd",),
    "fare_yoy_pct": ("fare_yoy_pct",),
    "advance_purchase_days": ("advance_purchase_days",),
    "load_factor_pct": ("load_factor_pct",),
    "ancillary_revenue_pct": ("ancillary_revenue_pct",),
}
"""The columns that give each number; the first that is not empty wins, and 0 is not empty."""

BOUNDS: dict[str, tuple[float, float]] = {
    "search_index": (-1e9, 1e9),
    "branding_mix": (-1e9, 1e9),
    "avg_fare_usd": (0, 1e7),
    "premium_fare_usd": (0, 1e7),
    "fare_yoy_pct": (-100, 1e5),
    "advance_purchase_days": (0, 3_650),
    "load_factor_pct": (0, 200),
    "ancillary_revenue_pct": (0, 1_000),
}
"""The least and the greatest value of each number: wide, for beyond them a cell means something else."""

MOST_NAMED = 10
"""Unreadable cells that are shown; the others are counted."""
LONGEST = {"route": 200, "airline": 200, "season": 200, "query": 400}
"""Characters of each text that stands in an index; PostgreSQL takes 2,704 bytes of all texts of one."""
PROSE = TEXTS["notable_event"]
"""Columns in which a JSON file may hold more than a text."""
COLUMNS = frozenset(name for names in (*TEXTS.values(), *NUMBERS.values()) for name in names)
"""Every column name that means something here."""

SOURCE_FIELDS = (
    "position",
    "snapshot_date",
    "snapshot_day",
    "subject",
    "route",
    "origin_airport",
    "destination_airport",
    "airline",
    "season",
    "query",
    "region",
    "provider",
    "collection_window",
    "query_count",
    "week_id",
    "linked_tickers",
    *NUMBERS,
)
"""The fields of a row that its file decides, in the order of `Records.columns`; the notable text is apart."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
MOST_DIGITS = 60
"""Characters of a number; more than any program writes of one."""
_ROUTE = re.compile(r"([A-Za-z]{3})-([A-Za-z]{3})", re.ASCII)
_DAY = re.compile(r"(\d{4})([-/])(\d{2})\2(\d{2})", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*", re.ASCII)
_WEEK = re.compile(r"(\d{4})-[Ww](\d{2})", re.ASCII)


def day_of(text: str) -> datetime.date | None:
    """Return the day that `YYYY-MM-DD`, `YYYY/MM/DD` or `YYYY-Www` (its Monday) means; None for others.

    A time of ISO 8601 behind the first of these, as pandas and Excel write it, is left out.
    """
    try:
        if match := _DAY.fullmatch(text):
            return datetime.date(int(match[1]), int(match[3]), int(match[4]))
        if match := _WEEK.fullmatch(text):
            return datetime.date.fromisocalendar(int(match[1]), int(match[2]), 1)
        if _STAMP.fullmatch(text):
            return datetime.datetime.fromisoformat(text).date()
    except ValueError:
        pass
    return None


def airports_of(route: str) -> tuple[str, str]:
    """Origin and destination of a route written `AAA-BBB`, in capitals; empty for any other text."""
    match = _ROUTE.fullmatch(route)
    return (match[1].upper(), match[2].upper()) if match else ("", "")


def number_of(name: str, text: str) -> float | None:
    """Return the number that `text` is in the column `name`; None for anything else."""
    if len(text) > MOST_DIGITS or not _NUMBER.fullmatch(text):
        return None
    return _within(name, float(text))


def _within(name: str, value: float | None) -> float | None:
    least, most = BOUNDS[name]
    return value if value is not None and least <= value <= most else None


def expected(name: str) -> str:
    """Return what a cell of the column `name` has to hold: a day, or a number from … to …"""
    if name not in BOUNDS:
        return "a day"
    least, most = BOUNDS[name]
    return f"a number from {least:,.0f} to {most:,.0f}"


def as_stored(name: str, value: Any) -> Any:
    """Return a field's value as a row may hold it: a text cleaned, and no number out of bounds."""
    if name in NUMBERS:
        return _within(name, value)
    return clean(value).strip() if isinstance(value, str) else value


def too_long(name: str, text: str) -> str:
    """What is wrong with a text that no index takes; empty for any other."""
    most = LONGEST.get(name, len(text))
    return f"{name} has {len(text):,} characters, and {most} are taken at most" if len(text) > most else ""


def subject_of(route: str, airline: str, season: str, query: str) -> str:
    """What a row is about: its route, or its query (or what stands for that) where it has no route."""
    return route or query or " ".join(filter(None, (airline, season)))


class Remembered(dict[str, Any]):
    """A function's results by argument, forgotten when they become many."""

    def __init__(self, function: Callable[[str], Any], size: int = 50_000) -> None:
        super().__init__()
        self._function = function
        self._size = size

    def __missing__(self, key: str) -> Any:
        if len(self) >= self._size:
            self.clear()
        value = self[key] = self._function(key)
        return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """A batch of rows with their meaning."""

    columns: list[Sequence[Any]]
    """For each of SOURCE_FIELDS its values, row by row."""
    notables: list[str]
    """Each row's notable text, empty where there is none."""


class Unreadable(NamedTuple):
    """A cell that does not hold what its column should."""

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"{self.column} is {self.text[:40]!r}, which is not {expected(self.column)}"


@dataclass(kw_only=True)
class Reader:
    """Gives the cells of one file their meaning."""

    header: Sequence[str]
    fallback: str
    """What a row is about that says nothing of it: the file's name."""
    rows: int = 0
    unreadable: int = 0
    """Cells that should hold a day, or a number within its bounds, and do not."""
    first_unreadable: list[Unreadable] = field(default_factory=list)
    """The first of them, MOST_NAMED at most, by line."""
    _clean: Remembered = field(default_factory=lambda: Remembered(lambda text: clean(text).strip()))
    _days: Remembered = field(default_factory=lambda: Remembered(lambda text: str(day_of(text) or NO_DAY)))
    _airports: Remembered = field(default_factory=lambda: Remembered(airports_of))
    _numbers: dict[str, Remembered] = field(
        default_factory=lambda: {name: Remembered(partial(number_of, name)) for name in NUMBERS}
    )

    def read(self, batch: Batch) -> Records:
        """The meaning of `batch`. Raises RefusedFile."""
        cells = batch.cells
        given = dict(zip(self.header, zip(*cells, strict=True), strict=True)) if cells else {}
        size = len(cells)
        empty = [""] * size
        texts = {name: self._first(given, names, empty) for name, names in TEXTS.items()}
        for name, most in LONGEST.items():
            if max(map(len, texts[name]), default=0) > most:
                place = next(i for i, text in enumerate(texts[name]) if len(text) > most)
                raise RefusedFile(too_long(name, texts[name][place]), batch.lines[place])
        days = list(map(self._days.__getitem__, texts["snapshot_date"]))
        found = self._unreadable("snapshot_date", texts["snapshot_date"], days, str(NO_DAY), batch.lines)
        numbers: list[list[float | None]] = []
        for name, names in NUMBERS.items():
            raw = self._first(given, names, empty)
            values = [None] * size if raw is empty else list(map(self._numbers[name].__getitem__, raw))
            numbers.append(values)
            found += self._unreadable(name, raw, values, None, batch.lines)
        self.first_unreadable = sorted([*self.first_unreadable, *found])[:MOST_NAMED]
        route, airline, season, query = (texts[name] for name in ("route", "airline", "season", "query"))
        if "" in query:
            query = self._named(query, route, airline, season, texts)
        subject = route if "" not in route else list(map(subject_of, route, airline, season, query))
        airports = list(map(self._airports.__getitem__, route))
        columns: list[Sequence[Any]] = [
            range(self.rows + 1, self.rows + 1 + size),
            texts["snapshot_date"],
            days,
            subject,
            route,
            [origin for origin, _ in airports],
            [destination for _, destination in airports],
            airline,
            season,
            query,
            *(texts[name] for name in SOURCE_FIELDS[SOURCE_FIELDS.index("region") : -len(NUMBERS)]),
            *numbers,
        ]
        self.rows += size
        return Records(columns=columns, notables=texts["notable_event"])

    def _first(
        self, columns: dict[str, tuple[str, ...]], names: tuple[str, ...], empty: list[str]
    ) -> list[str]:
        """For each row the first of the named cells that is not empty."""
        found: list[str] | None = None
        for name in names:
            column = columns.get(name)
            if column is None:
                continue
            clean = list(map(self._clean.__getitem__, column))
            found = clean if found is None else [a or b for a, b in zip(found, clean, strict=True)]
            if "" not in found:
                break
        return empty if found is None else found

    def _named(
        self,
        query: list[str],
        route: list[str],
        airline: list[str],
        season: list[str],
        texts: dict[str, list[str]],
    ) -> list[str]:
        """`query` with something in it wherever no route, airline or season can stand for it."""
        fallback = clean(self.fallback)
        return [
            given or ("" if a or b or c else d or e or f or fallback)
            for given, a, b, c, d, e, f in zip(
                query,
                route,
                airline,
                season,
                texts["provider"],
                texts["category"],
                texts["topic"],
                strict=True,
            )
        ]

    def _unreadable(
        self, name: str, raw: list[str], values: Sequence[Any], nothing: Any, lines: Sequence[int]
    ) -> list[Unreadable]:
        """Count the cells of a column that came to `nothing` and are not empty, and return the first."""
        # Both counts run at the speed of C, unlike a look at each cell.
        count = values.count(nothing) - raw.count("")
        self.unreadable += count
        if not count or len(self.first_unreadable) == MOST_NAMED:
            return []
        cells = zip(lines, raw, values, strict=True)
        found = (Unreadable(line, name, text) for line, text, value in cells if text and value == nothing)
        return list(islice(found, MOST_NAMED))
