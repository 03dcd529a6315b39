"""Filters to rows: the one place with the SQL of the answers.

A statement is written once for each kind of filter and kept; what a filter means for routes,
airlines and seasons, and how many rows match, comes from `airfare.dimensions` without touching a row.
"""

# ruff: noqa: S608 (SQL is put together from the constants of this module alone)

import datetime
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from sys import getsizeof
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet

from airfare import dimensions, notables
from airfare.dimensions import Snapshot
from airfare.expressions import among, array_of
from airfare.models import NO_DAY, FareRow
from airfare.records import NUMBERS, airports_of, day_of
from mcpsite.access.policies import Principal
from mcpsite.core.days import span
from mcpsite.core.memory import size_of_rows

TEXT_FIELDS = (
    "snapshot_date",
    "query",
    "route",
    "origin_airport",
    "destination_airport",
    "airline",
    "season",
    "region",
    "provider",
    "collection_window",
    "query_count",
    "week_id",
    "linked_tickers",
)
NUMBER_FIELDS = tuple(NUMBERS)

_FILE = "(SELECT name FROM airfare_sourcefile WHERE id = r.source_file_id)"
_ORDER = f"r.snapshot_day DESC, r.subject DESC, r.airline DESC, {_FILE}, r.position, r.id"
"""Date, route or query, and airline descend by code point; equal rows keep the order of their files."""
_ORDER_OF_ONE_ROUTE = _ORDER.replace("r.subject DESC, ", "")
"""The same where all rows have one route: without what is equal, so that an index gives more of it."""

_NAMES = (*TEXT_FIELDS, *NUMBER_FIELDS, "notable_event", "source_file")
_SELECTED = ", ".join(f"r.{name}" for name in (*TEXT_FIELDS, *NUMBER_FIELDS))
_COLUMNS = f"{_SELECTED}, n.text, {_FILE}"
_FROM = "airfare_farerow r LEFT JOIN airfare_notabletext n ON n.id = r.notable_id"

MOST_MERGED = 48
"""Values of one dimension that are read one by one, each through its index, and merged."""
MOST_TEXTS = 1_000
"""Notable texts that are looked up one by one; of more, rows are read in order and compared."""
DEEP = 1_000
"""Rows that are passed over by reading them; more are counted, by their days."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What an answer is about; an empty field does not filter."""

    route_contains: str = ""
    origin_airport: str = ""
    """Three capital letters."""
    destination_airport: str = ""
    airline_contains: str = ""
    season_contains: str = ""
    notable_contains: str = ""
    first_day: datetime.date | None = None
    """The days from `first_day` up to, not including, `end_day`."""
    end_day: datetime.date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some of the rows that match, in order."""

    rows: list[dict[str, Any]]
    """Field names to values that are neither empty nor null."""
    matched: int
    total: int
    files: list[str]


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What filters mean in one version of the data."""

    chosen: dict[str, tuple[str, ...]]
    """The values that a dimension may have, for each dimension that is filtered on."""
    texts: tuple[int, ...] | None
    """The notable texts, when they are few; None for no filter, or for many."""
    compared: str
    """The casefolded text that notable texts are compared with, when they are many; else empty."""
    matched: int
    sizes: dict[str, int]
    """For each filtered dimension, how many rows have one of its values, whatever else they have."""


def days_of(text: str) -> tuple[datetime.date, datetime.date] | None:
    """First day and end (not included) of `YYYY`, `YYYY-MM` or a day as files write it; else None."""
    day = day_of(text)
    days = (day, day) if day else span(text)
    try:
        return (days[0], days[1] + datetime.timedelta(days=1)) if days else None
    except OverflowError:
        return None


def page(filters: Filters, who: Principal | None, *, limit: int, offset: int = 0) -> Page:
    """The rows from `offset` on that match `filters`, `limit` at most, in the order of an answer.

    Only rows of files that `who` may read; with None, of every file.
    """
    while True:
        snapshot = dimensions.current(who)
        meaning = _meaning(filters, snapshot)
        expected = max(0, min(limit, meaning.matched - offset))
        key = (filters, limit, offset)
        rows: list[dict[str, Any]] | None = snapshot.result(key) if expected else []
        if rows is None:
            rows = [_row(values) for values in _rows(filters, meaning, snapshot, limit, offset)]
            # Rows of another number, or of a file that has come since, mean that the data changed between
            # the queries.
            as_counted = len(rows) == expected and all(
                row["source_file"] in snapshot.file_names for row in rows
            )
            if not as_counted and dimensions.state(who) != snapshot.state:
                continue
            snapshot.keep(key, rows, size_of_rows(rows))
        return Page(
            rows=rows,
            matched=meaning.matched,
            total=snapshot.total,
            files=snapshot.files,
        )


def queryset(filters: Filters, snapshot: Snapshot) -> QuerySet[FareRow]:
    """The published rows that match `filters` and are in the files of `snapshot`, without an order."""
    rows = FareRow.objects.filter(hidden=False)
    if snapshot.visible is not None:
        rows = rows.filter(among("source_file_id", snapshot.visible))
    for name, values in _meaning(filters, snapshot).chosen.items():
        rows = rows.filter(among(name, values))
    if filters.first_day and filters.end_day:
        rows = rows.filter(snapshot_day__gte=filters.first_day, snapshot_day__lt=filters.end_day)
    if filters.notable_contains:
        rows = rows.filter(notable_id__in=notables.holding(filters.notable_contains))
    return rows


def matched(filters: Filters, snapshot: Snapshot) -> int:
    """How many rows `queryset` has."""
    return _meaning(filters, snapshot).matched


# What filters mean


def _meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    meaning: _Meaning | None = snapshot.result(filters)
    if meaning is None:
        meaning = _find_meaning(filters, snapshot)
        # The values that it names are the snapshot's own.
        size = sum(map(getsizeof, meaning.chosen.values())) + 40 * len(meaning.texts or ())
        snapshot.keep(filters, meaning, 1_000 + size)
    return meaning


def _find_meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    asked = {
        "route": filters.route_contains,
        "airline": filters.airline_contains,
        "season": filters.season_contains,
    }
    marked = {name: _holding(text, snapshot.values[name]) for name, text in asked.items() if text}
    if filters.origin_airport or filters.destination_airport:
        routes = marked.setdefault("route", bytearray(b"\1" * len(snapshot.routes)))
        for place, route in enumerate(snapshot.routes):
            origin, destination = airports_of(route) if routes[place] else ("", "")
            routes[place] = filters.origin_airport in ("", origin) and filters.destination_airport in (
                "",
                destination,
            )
    sizes = {name: snapshot.rows_with({name: marks}) for name, marks in marked.items()}
    matched = snapshot.rows_with(marked)
    # A category whose every value is allowed filters nothing.
    chosen = {
        name: tuple(compress(snapshot.values[name], marks))
        for name, marks in marked.items()
        if sizes[name] < snapshot.total
    }
    meaning = _Meaning(chosen, None, "", matched, sizes)
    if matched and (filters.first_day or filters.notable_contains):
        meaning = _counted(filters, meaning, snapshot)
    return meaning


def _holding(needle: str, values: Sequence[str]) -> bytearray:
    """For each of `values` 1 where it holds `needle`, in whatever case, else 0."""
    folded = needle.casefold()
    return bytearray(folded in value.casefold() for value in values)


def _counted(filters: Filters, meaning: _Meaning, snapshot: Snapshot) -> _Meaning:
    """`meaning` with the filters that only the rows themselves can tell of."""
    needle = filters.notable_contains
    found = notables.matching(needle, MOST_TEXTS) if needle else None
    texts = None if found is None else tuple(found)
    counted = _Meaning(meaning.chosen, texts, "", meaning.matched, meaning.sizes)
    where, parameters = _conditions(filters, counted, snapshot)
    if needle and texts is None:
        texts_of = notables.holding(needle)
        where, parameters = f"{where} AND r.notable_id IN ({texts_of.sql})", [*parameters, *texts_of.params]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM airfare_farerow r WHERE {where}", parameters)
        matched = int(cursor.fetchone()[0])
    compared = ""
    if needle and (texts is None or matched > _worth_sorting(snapshot.total)):
        texts, compared = None, needle.casefold()
    return _Meaning(meaning.chosen, texts, compared, matched, meaning.sizes)


def _worth_sorting(total: int) -> int:
    """How many matching rows are sooner sorted than met by reading in order.

    Of `matched` rows among `total`, reading in order looks at about `25 * total / matched` rows.
    """
    return max(200, int((25 * total) ** 0.5))


# The statements


def _rows(
    filters: Filters, meaning: _Meaning, snapshot: Snapshot, limit: int, offset: int
) -> list[tuple[Any, ...]]:
    latest = None
    if offset >= DEEP:
        latest, offset = _first_day(filters, snapshot, offset)
    leading = None
    if meaning.texts is None:
        short = [name for name, values in meaning.chosen.items() if len(values) <= MOST_MERGED]
        leading = min(short, key=lambda name: meaning.sizes[name], default=None)
    where, parameters = _conditions(filters, meaning, snapshot, without=leading)
    if latest is not None:
        where, parameters = f"{where} AND r.snapshot_day <= %s", [*parameters, str(latest)]
    values = meaning.chosen[leading] if leading else ()
    order = _ORDER_OF_ONE_ROUTE if leading == "route" else _ORDER
    if meaning.texts is not None:
        sql = _sorted(where)
    elif not values:
        sql = _plain(where, order)
    elif len(values) == 1:
        sql, parameters = _plain(f"r.{leading} = %s AND {where}", order), [values[0], *parameters]
    else:
        sql = _merged(f"r.{leading} = %s AND {where}", order, len(values))
        parameters = [each for value in values for each in (value, *parameters, limit + offset)]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*parameters, limit, offset])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _first_day(filters: Filters, snapshot: Snapshot, offset: int) -> tuple[datetime.date, int]:
    """The day of the matching row at `offset`, and how many rows of that day are before it.

    So that what is passed over is counted once, and not read again for each page.
    """
    found: tuple[array[int], array[int]] | None = snapshot.result(("days", filters))
    if found is None:
        found = days, passed = array("l"), array("l")
        rows = 0
        counted = queryset(filters, snapshot).order_by("-snapshot_day").values_list("snapshot_day")
        for day, number in counted.annotate(Count("id")).iterator(chunk_size=5_000):
            days.append(day.toordinal())
            passed.append(rows)
            rows += number
        snapshot.keep(("days", filters), found, getsizeof(days) + getsizeof(passed))
    days, passed = found
    if not days:  # The rows have gone since they were counted.
        return NO_DAY, offset
    place = max(0, bisect_right(passed, offset) - 1)
    return datetime.date.fromordinal(days[place]), offset - passed[place]


def _plain(where: str, order: str) -> str:
    return f"SELECT {_COLUMNS} FROM {_FROM} WHERE {where} ORDER BY {order} LIMIT %s OFFSET %s"


def _sorted(where: str) -> str:
    """All rows that match, found first and then sorted: for filters that few rows pass.

    Without the fence PostgreSQL would read in order, expecting to meet such rows soon.
    """
    return (
        f"WITH r AS MATERIALIZED (SELECT r.* FROM airfare_farerow r WHERE {where}) SELECT {_COLUMNS} "
        f"FROM r LEFT JOIN airfare_notabletext n ON n.id = r.notable_id ORDER BY {_ORDER} LIMIT %s OFFSET %s"
    )


def _merged(where: str, order: str, parts: int) -> str:
    """The first rows of each part, each read through its index until there are enough, merged."""
    part = f"SELECT id FROM (SELECT r.id FROM {_FROM} WHERE {where} ORDER BY {order} LIMIT %s) AS part"
    return (
        f"SELECT {_COLUMNS} FROM {_FROM} WHERE r.id IN ({' UNION ALL '.join([part] * parts)}) "
        f"ORDER BY {_ORDER} LIMIT %s OFFSET %s"
    )


def _conditions(
    filters: Filters, meaning: _Meaning, snapshot: Snapshot, without: str | None = None
) -> tuple[str, list[Any]]:
    """The text and the parameters of what a row has to fulfil, beside the dimension `without`."""
    parts = ["NOT r.hidden"]
    parameters: list[Any] = []
    if snapshot.visible is not None:
        parts.append(_among("r.source_file_id"))
        parameters.append(array_of(sorted(snapshot.visible)))
    for name, values in meaning.chosen.items():
        if name == without:
            continue
        if len(values) == 1:
            parts.append(f"r.{name} = %s")
            parameters.append(values[0])
        else:
            parts.append(_among(f"r.{name}"))
            parameters.append(array_of(values))
    if filters.first_day and filters.end_day:
        parts.append("r.snapshot_day >= %s AND r.snapshot_day < %s")
        parameters += [str(filters.first_day), str(filters.end_day)]
    if meaning.texts is not None:
        parts.append(_among("r.notable_id"))
        parameters.append(array_of(meaning.texts))
    elif meaning.compared:
        contains = "instr(n.folded, %s) > 0" if connection.vendor == "sqlite" else "strpos(n.folded, %s) > 0"
        parts.append(contains)
        parameters.append(meaning.compared)
    return " AND ".join(parts), parameters


def _among(column: str) -> str:
    """A condition with one parameter, however many values there are: so that statements are few."""
    if connection.vendor == "sqlite":
        return f"{column} IN (SELECT value FROM json_each(%s))"
    return f"{column} = ANY(%s)"


def _row(values: tuple[Any, ...]) -> dict[str, Any]:
    """The fields that say something, in one pass: this runs for each row of each answer."""
    row = {
        name: int(value) if value.__class__ is float and value.is_integer() else value
        for name, value in zip(_NAMES, values, strict=True)
        if value is not None and value != ""
    }
    if "notable_event" in row and ("route" in row or "airline" in row):
        # What drives a fare has a name of its own in fare data, and clients of old read it.
        row["notable_driver"] = row["notable_event"]
    if "query" not in row:
        named = [str(row[name]) for name in ("route", "airline", "season") if name in row]
        row["query"] = " ".join(named) or row["source_file"]
    return row
