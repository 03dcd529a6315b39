"""What a fare is: the columns of a file, and what a row is made of by them."""

import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from airfare.models import NO_DAY
from airfare.weekly import WeeklyRegions
from mcpsite.core.texts import clean
from mcpsite.datasets import records
from mcpsite.datasets.columns import Column, Said
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.reading import NOTHING_SAID
from mcpsite.datasets.records import Remembered
from mcpsite.datasets.tables import Batch, Table


def _number(name: str, *also: str, unit: str = "", least: float, most: float) -> Column:
    return Column(name=name, names=(name, *also), kind="number", unit=unit, least=least, most=most)


COLUMNS: tuple[Column, ...] = (
    Column(name="snapshot_date", names=("snapshot_date", "date", "week", "week_id", "period"), kind="day"),
    Column(name="route", names=("route",), kind="category", longest=200),
    Column(name="origin", names=("origin", "origin_airport", "from_airport"), kind="category", longest=90),
    Column(
        name="destination",
        names=("destination", "destination_airport", "to_airport"),
        kind="category",
        longest=90,
    ),
    Column(name="airline", names=("airline",), kind="category", longest=200),
    Column(name="season", names=("season",), kind="category", longest=200),
    Column(name="query", names=("query", "keyword", "term", "search_term"), kind="text", longest=400),
    Column(name="region", names=("region", "region_name", "geo"), kind="text"),
    Column(name="provider", names=("provider",), kind="text"),
    Column(name="collection_window", names=("collection_window",), kind="text"),
    Column(name="query_count", names=("query_count",), kind="text"),
    Column(name="week_id", names=("week_id",), kind="text"),
    Column(name="linked_tickers", names=("linked_tickers",), kind="text"),
    Column(
        name="notable_event",
        names=("notable_driver", "notable_event", "notes", "channel_checks", "processing_notes"),
        kind="prose",
    ),
    Column(name="category", names=("category",), kind="text"),
    Column(name="topic", names=("topic",), kind="text"),
    _number("search_index", "index", "score", least=-1e9, most=1e9),
    _number("branding_mix", "mix_share", "implied_unit_sales_impact", "metric", least=-1e9, most=1e9),
    _number("avg_fare_usd", "average_fare_usd", "avg_fare", "average_fare", unit="USD", least=0, most=1e7),
    _number("premium_fare_usd", "premium_fare", unit="USD", least=0, most=1e7),
    _number("fare_yoy_pct", "fare_yoy", "yoy_pct", unit="%", least=-100, most=1e5),
    _number("advance_purchase_days", "advance_purchase", unit="days", least=0, most=3_650),
    _number("load_factor_pct", "load_factor", unit="%", least=0, most=200),
    _number("ancillary_revenue_pct", unit="%", least=0, most=1_000),
)
"""The columns of a file; bounds are wide, for beyond them a cell means something else."""

FARES = Headings(COLUMNS)
NUMBERS = {column.name: column for column in COLUMNS if column.kind == "number"}
LONGEST = {column.name: column for column in COLUMNS if column.longest}
WEEKLY = WeeklyRegions()

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
_PARTED = re.compile(
    r"([A-Za-z]{3})(?:\s*(?:[-‐‑‒–—−/→>]|->|=>|–>)\s*|\s+to\s+)([A-Za-z]{3})", re.ASCII | re.IGNORECASE
)
"""A route as people write it otherwise."""
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
    column = NUMBERS[name]
    return value if value is not None and column.least <= value <= column.most else None


def expected(name: str) -> str:
    """Return what a cell of the column `name` has to hold: a day, or a number from … to …"""
    return NUMBERS[name].expected if name in NUMBERS else "a day"


def as_stored(name: str, value: Any) -> Any:
    """Return a field's value as a row may hold it: a text cleaned, and no number out of bounds."""
    if name in NUMBERS:
        return _within(name, value)
    if not isinstance(value, str):
        return value
    text = clean(value).strip()
    return usual_route(text) if name == "route" else text


def too_long(name: str, text: str) -> str:
    """What is wrong with a text that no index takes; empty for any other."""
    return records.too_long(LONGEST[name], text) if name in LONGEST else ""


def subject_of(route: str, airline: str, season: str, query: str) -> str:
    """What a row is about: its route, or its query (or what stands for that) where it has no route."""
    return route or query or " ".join(filter(None, (airline, season)))


def usual_route(route: str) -> str:
    """Return a route between two airports as `AAA-BBB`, however it is written; any other text as it is."""
    match = _PARTED.fullmatch(route)
    return f"{match[1]}-{match[2]}".upper() if match else route


def shown_day(text: str, day: str) -> str:
    """Return a file's date as answers show it: as given in one of the three usual forms, else as a day."""
    usual = _DAY.fullmatch(text) or _WEEK.fullmatch(text)
    return text if usual or not day else day


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """A batch of rows with their meaning."""

    columns: list[Sequence[Any]]
    """For each of SOURCE_FIELDS its values, row by row."""
    notables: list[str]
    """Each row's notable text, empty where there is none."""


class Reader:
    """Gives the cells of one file their meaning."""

    def __init__(self, cells: records.Reader, *, fallback: str) -> None:
        self.cells = cells
        """What reads the cells, and counts those that cannot be read."""
        self._fallback = clean(fallback)
        """What a row is about that says nothing of it: the file's name."""
        self._rows = 0
        self._airports = Remembered(airports_of)
        self._routes = Remembered(usual_route)

    @classmethod
    def of(cls, table: Table, *, fallback: str, said: Said = NOTHING_SAID) -> "Reader":
        """Return the reader of a file of fares."""
        return cls(records.Reader.of(table, COLUMNS, said), fallback=fallback)

    def read_all(self, batches: Iterable[Batch]) -> Iterator[Records]:
        """Yield the meaning of `batches`. Raises RefusedFile."""
        return map(self._meaning, self.cells.read_all(batches))

    def read(self, batch: Batch) -> Records:
        """Return the meaning of `batch`. Raises RefusedFile."""
        return self._meaning(self.cells.read(batch))

    def _meaning(self, values: records.Values) -> Records:
        size = values.size
        empty = [""] * size
        no_numbers = [None] * size

        def texts(name: str) -> list[str]:
            return values.texts.get(name, empty)

        given = texts("snapshot_date")
        days = values.days.get("snapshot_date", empty)
        shown = given
        if given != days:
            shown = list(map(shown_day, given, days))
        route = list(map(self._routes.__getitem__, texts("route")))
        if "" in route and "origin" in values.texts and "destination" in values.texts:
            ends = zip(route, texts("origin"), texts("destination"), strict=True)
            route = [each or (usual_route(f"{a}-{b}") if a and b else "") for each, a, b in ends]
        airline, season, query = (texts(name) for name in ("airline", "season", "query"))
        if "" in query:
            query = self._named(query, route, airline, season, values)
        subject = route if "" not in route else list(map(subject_of, route, airline, season, query))
        airports = list(map(self._airports.__getitem__, route))
        columns: list[Sequence[Any]] = [
            range(self._rows + 1, self._rows + 1 + size),
            shown,
            days if "" not in days else [day or str(NO_DAY) for day in days],
            subject,
            route,
            [origin for origin, _ in airports],
            [destination for _, destination in airports],
            airline,
            season,
            query,
            *(texts(name) for name in SOURCE_FIELDS[SOURCE_FIELDS.index("region") : -len(NUMBERS)]),
            *(values.numbers.get(name, no_numbers) for name in NUMBERS),
        ]
        self._rows += size
        return Records(columns=columns, notables=texts("notable_event"))

    def _named(
        self,
        query: list[str],
        route: list[str],
        airline: list[str],
        season: list[str],
        values: records.Values,
    ) -> list[str]:
        """`query` with something in it wherever no route, airline or season can stand for it."""
        empty = [""] * values.size
        others = (values.texts.get(name, empty) for name in ("provider", "category", "topic"))
        return [
            given or ("" if a or b or c else d or e or f or self._fallback)
            for given, a, b, c, d, e, f in zip(query, route, airline, season, *others, strict=True)
        ]
