"""Filters to rows: what a question means, and the two plans by which its rows are read.

What a filter means is a set of combinations (see `airfare.dimensions`) and some days; how many rows match
comes from memory, but for days that part a combination, and for free text. *Few* rows are found through
their combinations and sorted; of *many*, rows are read in the order of an answer until there are enough.
"""

import datetime
from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from sys import getsizeof
from typing import Any

from django.db.models import Count, Expression, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, StrIndex

from airfare import dimensions, notables
from airfare.dimensions import EVERY, NONE, Chosen, Snapshot
from airfare.expressions import Among, Blank, array_of
from airfare.models import NO_DAY, FareRow, SourceFile
from airfare.records import NUMBERS, day_of
from airfare.statements import Statement
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

_NAMES = (*TEXT_FIELDS, *NUMBER_FIELDS, "notable_event", "source_file")

UNINDEXED_DAY = Coalesce("snapshot_day", "snapshot_day")
"""The day, as something that is in no index."""
MOST_TEXTS = 1_000
"""Notable texts that are looked up one by one; of more, rows are compared with the needle."""
FEW_ROWS = 1_000
"""Rows of combinations that are read sooner than those of the notable texts asked for are found."""
DEEP = 1_000
"""Rows that are passed over by reading them; more are counted, by their days."""


class Plan(Enum):
    """How rows are read: all that match and then sorted, or in order until there are enough."""

    FEW = "few"
    IN_ORDER = "in order"


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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Meaning:
    """What filters mean in one version of the data."""

    given: dict[str, str]
    """What rows have to fulfil, as parameters by name; see `_narrowed`."""
    outside: bool = False
    """Whether `given` has the combinations that rows may not have, for they are fewer."""
    needle: str = ""
    """What notable texts have to hold, casefolded, where they are too many to be named."""
    matched: int
    between: int = 0
    """About how many rows there are between the first and the last day, whatever else they have."""
    index: str = ""
    """By what a plan for few rows finds them: combinations or texts; empty where there is neither."""
    reached: int = 0
    """About how many rows it looks at."""


def days_of(text: str) -> tuple[datetime.date, datetime.date] | None:
    """First day and end (not included) of `YYYY`, `YYYY-MM` or a day as files write it; else None."""
    day = day_of(text)
    days = (day, day) if day else span(text)
    try:
        return (days[0], days[1] + datetime.timedelta(days=1)) if days else None
    except OverflowError:
        return None


def page(
    filters: Filters, who: Principal | None, *, limit: int, offset: int = 0, plan: Plan | None = None
) -> Page:
    """The rows from `offset` on that match `filters`, `limit` at most, in the order of an answer.

    Only rows of files that `who` may read; with None, of every file. They are read by `plan`, by default by
    the one that reads fewer rows.
    """
    while True:
        snapshot = dimensions.current(who)
        meaning = _meaning(filters, snapshot)
        expected = max(0, min(limit, meaning.matched - offset))
        key = (filters, limit, offset, plan)
        rows: list[dict[str, Any]] | None = snapshot.result(key) if expected else []
        if rows is None:
            rows = [_row(values) for values in _rows(filters, meaning, snapshot, limit, offset, plan)]
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
    meaning = _meaning(filters, snapshot)
    if not meaning.matched:
        return FareRow.objects.none()
    # All rows that match are looked at: as they are stored, where those are no small part of all.
    index = meaning.index if 4 * meaning.reached < meaning.between else ""
    return _every(meaning, index)


def matched(filters: Filters, snapshot: Snapshot) -> int:
    """How many rows `queryset` has."""
    return _meaning(filters, snapshot).matched


# What filters mean


def _meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    def find() -> tuple[_Meaning, int]:
        meaning = _find_meaning(filters, snapshot)
        return meaning, 1_000 + sum(map(getsizeof, meaning.given.values()))

    return snapshot.once(filters, find)


def chosen_by(filters: Filters, snapshot: Snapshot) -> Chosen:
    """The combinations that `filters` mean."""
    chosen = EVERY
    for name, needle in (
        ("route", filters.route_contains),
        ("airline", filters.airline_contains),
        ("season", filters.season_contains),
    ):
        if needle:
            chosen &= snapshot.combinations.holding(name, needle)
    for name, value in (
        ("origin_airport", filters.origin_airport),
        ("destination_airport", filters.destination_airport),
    ):
        if value:
            chosen &= snapshot.combinations.having(name, value)
    return chosen


def combined(chosen: Chosen, snapshot: Snapshot) -> Q:
    """The condition that a row, published or not, has one of the `chosen` combinations."""
    numbers, outside = snapshot.combinations.array_of(chosen)
    return Q(Among("combination_id", Value(numbers), outside=outside))


def _find_meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    chosen = chosen_by(filters, snapshot)
    days = first, last = snapshot.days_of(chosen)
    if filters.first_day and filters.end_day:
        first = max(first, filters.first_day.toordinal())
        last = min(last, filters.end_day.toordinal() - 1)
    if first > last or not snapshot.rows_of(chosen):
        return _Meaning(given={}, matched=0)
    given = _between(first, last) if filters.first_day or (first, last) != snapshot.days else {}
    if snapshot.visible is not None:
        given["files"] = array_of(sorted(snapshot.visible))
    # What is counted by a look at rows: only they know what they say, and on which side of a day they are.
    known, unknown = chosen, NONE
    if (first, last) != days:
        known, unknown = (NONE, chosen) if chosen.outside else snapshot.within(chosen, first, last)
    needle = filters.notable_contains.casefold()
    if needle:
        known, unknown = NONE, known | unknown
        texts = notables.matching(needle, MOST_TEXTS)
        if texts is not None:
            given["texts"], needle = array_of(texts), ""
    between = snapshot.rows_between(first, last)
    matched = snapshot.rows_of(known)
    if snapshot.rows_of(unknown):
        matched += _count(_meant(unknown, snapshot, given, needle, between))
    return _meant(known | unknown, snapshot, given, needle, between, matched)


def _between(first: int, last: int) -> dict[str, str]:
    return {name: str(datetime.date.fromordinal(day)) for name, day in (("first", first), ("last", last))}


def _meant(
    chosen: Chosen, snapshot: Snapshot, given: dict[str, str], needle: str, between: int, matched: int = 0
) -> _Meaning:
    """The meaning of what is `given` and of `chosen` combinations, and how its rows are best found."""
    rows, places, outside = snapshot.rows_of(chosen), 0, False
    index = "texts" if "texts" in given else ""
    if rows < snapshot.total:
        numbers, outside = snapshot.combinations.array_of(chosen)
        given = {**given, "combinations": numbers}
        if not outside and not (index and rows > FEW_ROWS):
            index, places = "combinations", len(chosen.places)
    free = needle or "texts" in given
    return _Meaning(
        given=given,
        outside=outside,
        needle=needle,
        matched=matched,
        between=between,
        index=index,
        # Each combination is looked up, even if none of its rows is in the days asked for.
        reached=max(places, rows if free and index == "combinations" else matched),
    )


def _count(meaning: _Meaning) -> int:
    index = meaning.index if meaning.reached < meaning.between else ""
    if meaning.needle:
        return _every(meaning, index).count()
    [(number,)] = _counting(frozenset(meaning.given), meaning.outside, index).run(meaning.given)
    return int(number)


# The rows


def _rows(
    filters: Filters, meaning: _Meaning, snapshot: Snapshot, limit: int, offset: int, plan: Plan | None
) -> list[tuple[Any, ...]]:
    given = meaning.given
    if offset >= DEEP:
        latest, offset = _first_day(filters, snapshot, offset)
        given = _between(*snapshot.days) | given | {"last": str(latest)}
    if meaning.needle:
        given = {**given, "needle": meaning.needle}
    if plan is None:
        in_order = (limit + offset) * meaning.between / max(1, meaning.matched)
        plan = Plan.FEW if meaning.index and meaning.reached <= in_order else Plan.IN_ORDER
    if plan is Plan.IN_ORDER:
        # SQLite finds days by their index, and does not always think of it for their order.
        given = _between(*snapshot.days) | given
    index = meaning.index if plan is Plan.FEW else ""
    return _reading(frozenset(given), meaning.outside, index, plan).run(given, limit, offset)


def _first_day(filters: Filters, snapshot: Snapshot, offset: int) -> tuple[datetime.date, int]:
    """The day of the matching row at `offset`, and how many rows of that day are before it.

    So that what is passed over is counted once, and not read again for each page.
    """
    days, passed = snapshot.once(("days", filters), lambda: _by_day(queryset(filters, snapshot)))
    if not days:  # The rows have gone since they were counted.
        return NO_DAY, offset
    place = max(0, bisect_right(passed, offset) - 1)
    return datetime.date.fromordinal(days[place]), offset - passed[place]


def _by_day(rows: QuerySet[FareRow]) -> tuple[tuple["array[int]", "array[int]"], int]:
    """The days of `rows`, latest first, and how many rows are before each; and the size of both."""
    days, passed = array("l"), array("l")
    before = 0
    counted = rows.order_by("-snapshot_day").values_list("snapshot_day").annotate(Count("id"))
    for day, number in counted.iterator(chunk_size=5_000):
        days.append(day.toordinal())
        passed.append(before)
        before += number
    return (days, passed), getsizeof(days) + getsizeof(passed)


def _narrowed(
    names: frozenset[str], outside: bool, index: str, parameter: Callable[[str], Expression]
) -> QuerySet[FareRow]:
    """The published rows that fulfil the conditions of these `names`, each with its `parameter`.

    Rows are found by the `index` named, or, where it is empty, by none of what they fulfil.
    """
    rows = FareRow.objects.filter(hidden=False)
    if "first" in names:
        first, last = parameter("first"), parameter("last")
        day = UNINDEXED_DAY if index == "texts" else F("snapshot_day")
        rows = rows.alias(day=day).filter(day__gte=first, day__lte=last)
    if "files" in names:
        rows = rows.filter(Among("source_file_id", parameter("files"), indexed=False))
    if "combinations" in names:
        indexed = index == "combinations"
        among = Among("combination_id", parameter("combinations"), outside=outside, indexed=indexed)
        rows = rows.filter(among)
    if "texts" in names:
        rows = rows.filter(Among("notable_id", parameter("texts"), indexed=index == "texts"))
    if "needle" in names:
        rows = rows.alias(at=StrIndex("notable__folded", parameter("needle"))).filter(at__gt=0)
    return rows


def _every(meaning: _Meaning, index: str) -> QuerySet[FareRow]:
    """All rows that are meant."""
    given = meaning.given
    rows = _narrowed(frozenset(given), meaning.outside, index, lambda name: Value(given[name]))
    return rows.filter(notable_id__in=notables.holding(meaning.needle)) if meaning.needle else rows


@lru_cache(maxsize=256)
def _counting(names: frozenset[str], outside: bool, index: str) -> Statement:
    rows = _narrowed(names, outside, index, Blank).values_list("id")
    return Statement(rows, "SELECT count(*) FROM (", ") AS counted")


@lru_cache(maxsize=256)
def _reading(names: frozenset[str], outside: bool, index: str, plan: Plan) -> Statement:
    """The rows in the order of an answer: date, route or query, and airline descend by code point.

    Equal rows keep the order of their files.
    """
    file = SourceFile.objects.filter(pk=OuterRef("source_file_id")).values("name")
    # What is sorted has no index, whatever the planner thinks of it.
    day = UNINDEXED_DAY if plan is Plan.FEW else F("snapshot_day")
    rows = (
        _narrowed(names, outside, index, Blank)
        .annotate(file=Subquery(file))
        .order_by(day.desc(), "-subject", "-airline", "file", "position", "id")
        .values_list(*TEXT_FIELDS, *NUMBER_FIELDS, "notable__text", "file")
    )
    return Statement(rows, "", " LIMIT %s OFFSET %s")


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
