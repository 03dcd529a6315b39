"""Filters to rows: the one place with the SQL of the answers.

A statement is written once for each kind of filter and kept; what a filter means for routes,
airlines and seasons, and how many rows match, comes from `airfare.dimensions` without touching a row.
"""

# ruff: noqa: S608 (SQL is put together from the constants of this module alone)

import datetime
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from access.policies import Who
from airfare import dimensions, notables
from airfare.dimensions import Snapshot
from airfare.models import FareRow
from airfare.records import NUMBERS, day_of

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


_PREFIX = re.compile(r"(\d{4})(?:-(\d{2}))?", re.ASCII)


def days_of(text: str) -> tuple[datetime.date, datetime.date] | None:
    """First day and end (not included) of `YYYY`, `YYYY-MM` or a day as files write it; else None."""
    day = day_of(text)
    try:
        if day:
            return day, day + datetime.timedelta(days=1)
        if match := _PREFIX.fullmatch(text):
            year, month = int(match[1]), int(match[2] or 1)
            first = datetime.date(year, month, 1)
            if match[2] is None or month == 12:
                return first, datetime.date(year + 1, 1, 1)
            return first, datetime.date(year, month + 1, 1)
    except (ValueError, OverflowError):
        pass
    return None


def page(filters: Filters, who: Who | None, *, limit: int, offset: int = 0) -> Page:
    """The rows from `offset` on that match `filters`, `limit` at most, in the order of an answer.

    Only rows of files that `who` may read; with None, of every file.
    """
    while True:
        snapshot = dimensions.current(who)
        meaning = _meaning(filters, snapshot)
        expected = max(0, min(limit, meaning.matched - offset))
        rows = snapshot.pages.get((filters, limit, offset))
        if rows is None:
            found = _rows(filters, meaning, snapshot, limit, offset) if expected else []
            rows = [_row(values) for values in found]
            # Rows of another number, or of a file that has come since, mean that the data changed between
            # the queries.
            as_counted = len(rows) == expected and all(
                row["source_file"] in snapshot.file_names for row in rows
            )
            if not as_counted and dimensions.current(who) is not snapshot:
                continue
            snapshot.keep_page((filters, limit, offset), rows)
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
        rows = rows.filter(source_file_id__in=snapshot.visible)
    meaning = _meaning(filters, snapshot)
    for name, values in meaning.chosen.items():
        rows = rows.filter(**{f"{name}__in": values})
    if filters.first_day and filters.end_day:
        rows = rows.filter(snapshot_day__gte=filters.first_day, snapshot_day__lt=filters.end_day)
    if filters.notable_contains:
        rows = rows.filter(notable_id__in=notables.matching(filters.notable_contains))
    return rows


# What filters mean


def _meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    meaning: _Meaning | None = snapshot.result(filters)
    if meaning is None:
        meaning = _find_meaning(filters, snapshot)
        snapshot.keep_result(filters, meaning)
    return meaning


def _find_meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    allowed: dict[str, frozenset[str]] = {}
    if filters.route_contains or filters.origin_airport or filters.destination_airport:
        held = dimensions.holding(filters.route_contains, snapshot.routes)
        allowed["route"] = frozenset(
            each.route
            for each in snapshot.combinations
            if each.route in held
            and filters.origin_airport in ("", each.origin_airport)
            and filters.destination_airport in ("", each.destination_airport)
        )
    if filters.airline_contains:
        allowed["airline"] = dimensions.holding(filters.airline_contains, snapshot.airlines)
    if filters.season_contains:
        allowed["season"] = dimensions.holding(filters.season_contains, snapshot.seasons)
    matched = 0
    sizes = dict.fromkeys(allowed, 0)
    for each in snapshot.combinations:
        inside = [name for name, values in allowed.items() if getattr(each, name) in values]
        for name in inside:
            sizes[name] += each.rows
        if len(inside) == len(allowed):
            matched += each.rows
    # A dimension whose every value is allowed filters nothing.
    chosen = {name: tuple(sorted(values)) for name, values in allowed.items() if sizes[name] < snapshot.total}
    meaning = _Meaning(chosen, None, "", matched, sizes)
    if matched and (filters.first_day or filters.notable_contains):
        meaning = _counted(filters, meaning, snapshot)
    return meaning


def _counted(filters: Filters, meaning: _Meaning, snapshot: Snapshot) -> _Meaning:
    """`meaning` with the filters that only the rows themselves can tell of."""
    texts: tuple[int, ...] | None = None
    if filters.notable_contains:
        texts = tuple(notables.matching(filters.notable_contains))
        if not texts:
            return _Meaning(meaning.chosen, (), "", 0, meaning.sizes)
    counted = _Meaning(meaning.chosen, texts, "", meaning.matched, meaning.sizes)
    where, parameters = _conditions(filters, counted, snapshot)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM airfare_farerow r WHERE {where}", parameters)
        matched = int(cursor.fetchone()[0])
    compared = ""
    if texts is not None and (len(texts) > MOST_TEXTS or matched > _worth_sorting(snapshot.total)):
        texts, compared = None, filters.notable_contains.casefold()
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
    leading = None
    if meaning.texts is None:
        short = [name for name, values in meaning.chosen.items() if len(values) <= MOST_MERGED]
        leading = min(short, key=lambda name: meaning.sizes[name], default=None)
    where, parameters = _conditions(filters, meaning, snapshot, without=leading)
    values = meaning.chosen[leading] if leading else ()
    order = _ORDER_OF_ONE_ROUTE if leading == "route" else _ORDER
    with connection.cursor() as cursor:
        if meaning.texts is not None:
            cursor.execute(_sorted(where), [*parameters, limit, offset])
        elif not values:
            cursor.execute(_plain(where, order), [*parameters, limit, offset])
        elif len(values) == 1:
            sql = _plain(f"r.{leading} = %s AND {where}", order)
            cursor.execute(sql, [values[0], *parameters, limit, offset])
        else:
            every = [each for value in values for each in (value, *parameters, limit + offset)]
            sql = _merged(f"r.{leading} = %s AND {where}", order, len(values))
            cursor.execute(sql, [*every, limit, offset])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


@lru_cache(maxsize=512)
def _plain(where: str, order: str) -> str:
    return f"SELECT {_COLUMNS} FROM {_FROM} WHERE {where} ORDER BY {order} LIMIT %s OFFSET %s"


@lru_cache(maxsize=512)
def _sorted(where: str) -> str:
    """All rows that match, found first and then sorted: for filters that few rows pass.

    Without the fence PostgreSQL would read in order, expecting to meet such rows soon.
    """
    return (
        f"WITH r AS MATERIALIZED (SELECT r.* FROM airfare_farerow r WHERE {where}) SELECT {_COLUMNS} "
        f"FROM r LEFT JOIN airfare_notabletext n ON n.id = r.notable_id ORDER BY {_ORDER} LIMIT %s OFFSET %s"
    )


@lru_cache(maxsize=512)
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
        parameters.append(_array(sorted(snapshot.visible)))
    for name, values in meaning.chosen.items():
        if name == without:
            continue
        if len(values) == 1:
            parts.append(f"r.{name} = %s")
            parameters.append(values[0])
        else:
            parts.append(_among(f"r.{name}"))
            parameters.append(_array(values))
    if filters.first_day and filters.end_day:
        parts.append("r.snapshot_day >= %s AND r.snapshot_day < %s")
        parameters += [str(filters.first_day), str(filters.end_day)]
    if meaning.texts is not None:
        parts.append(_among("r.notable_id", many=len(meaning.texts) > MOST_TEXTS))
        parameters.append(_array(meaning.texts))
    elif meaning.compared:
        contains = "instr(n.folded, %s) > 0" if connection.vendor == "sqlite" else "strpos(n.folded, %s) > 0"
        parts.append(contains)
        parameters.append(meaning.compared)
    return " AND ".join(parts), parameters


def _among(column: str, *, many: bool = False) -> str:
    """A condition with one parameter, however many values there are: so that statements are few."""
    if connection.vendor == "sqlite":
        return f"{column} IN (SELECT value FROM json_each(%s))"
    if many:  # PostgreSQL hashes them when they are rows; a long array it looks through each time.
        return f"{column} IN (SELECT unnest(%s::bigint[]))"
    return f"{column} = ANY(%s)"


def _array(values: Sequence[Any]) -> Any:
    return json.dumps(values) if connection.vendor == "sqlite" else list(values)


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
