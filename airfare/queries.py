"""Filters to rows: what a question means, and the two plans by which its rows are read.

What a filter means is a set of combinations (see `airfare.dimensions`) and some days; how many rows match
comes from memory, but for days that part a combination, and for free text. *Few* rows are found through
their combinations and sorted; of *many*, rows are read in the order of an answer until there are enough.
Where either would look at many rows, those that match are counted by day first: then a page is looked for
among the rows of its own days, and so is each further page of the same filters.
"""

import datetime
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from math import inf
from sys import getsizeof
from typing import Any

from django.db.models import Count, Expression, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, StrIndex

from airfare import dimensions, notables
from airfare.dimensions import EVERY, NONE, Chosen, Snapshot
from airfare.expressions import Among, Blank, Cut, MostlyAmong, array_of
from airfare.models import FareRow, Load
from airfare.records import NUMBERS, day_of
from airfare.statements import Statement, ordinal
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

_NAMES = (*TEXT_FIELDS, *NUMBER_FIELDS, "notable_event")

UNINDEXED_DAY = Coalesce("snapshot_day", "snapshot_day")
"""The day, as something that is in no index."""
MOST_TEXTS = 5_000
"""Notable texts that are named; of more, rows are compared with the needle."""

STORED = "stored"
"""In place of an index: rows are looked at as they are stored."""

# What a plan costs, in rows that are read in order: 0.4 µs each, on either database.
SORTED = 4
"""A row that is found by an index on its own and then sorted."""
LOOKED_AT = 3
"""The same without sorting it."""
LOOKED_UP = 2
"""A combination that is looked up, whether it has rows or not."""
COUNTED = 1
"""A row that is counted by day in an index, which holds all that is asked."""
SCANNED = 0.2
"""The same in the index of days, from one row to the next."""


class Plan(Enum):
    """How rows are read: all that match and then sorted, or in order until there are enough.

    Either of them, whichever costs less, once the rows that match are counted by day.
    """

    FEW = "few"
    IN_ORDER = "in order"
    BY_DAY = "by day"


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
    """What notable texts have to hold, casefolded."""
    matched: int
    between: int = 0
    """About how many rows there are between the first and the last day, whatever else they have."""
    index: str = ""
    """By what a plan for few rows finds them: combinations or texts; empty where there is neither."""
    places: int = 0
    """How many combinations it looks up."""
    reached: int = 0
    """About how many rows it looks at."""

    @property
    def is_indexed(self) -> bool:
        """Whether the indexes of combinations and days, with loads in them, tell how many rows match."""
        return not self.needle and self.given.keys() <= {"loads", "first", "last", "combinations"}

    @property
    def texts(self) -> int | None:
        """How many notable texts hold the needle; None where they are too many to be named."""
        texts = self.given.get("texts")
        return None if texts is None else texts.count(",") + 1

    def found(self, each: float) -> float:
        """What it costs to find all rows by the index."""
        return LOOKED_UP * self.places + each * self.reached if self.index else inf

    def index_for(self, each: float) -> str:
        """The index, unless it costs more than to look at all rows that are stored."""
        return self.index if self.found(each) < self.between else ""


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
    the one that costs least.
    """
    while True:
        snapshot = dimensions.current(who)
        meaning = _meaning(filters, snapshot)
        expected = max(0, min(limit, meaning.matched - offset))
        key = (filters, limit, offset, plan)
        rows: list[dict[str, Any]] | None = snapshot.of_rows.result(key) if expected else []
        if rows is None:
            found = _rows(filters, meaning, snapshot, limit, offset, plan)
            rows = [_row(values, snapshot.file_names) for values in found]
            # Rows of another number, or of a file that has come since, mean that the data changed between
            # the queries.
            as_counted = len(rows) == expected and all("source_file" in row for row in rows)
            if not as_counted and dimensions.state(who) != snapshot.state:
                continue
            snapshot.of_rows.keep(key, rows, size_of_rows(rows))
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
    whole = STORED if 2 * meaning.between > snapshot.total else ""
    return _every(meaning, meaning.index_for(LOOKED_AT) or whole)


def matched(filters: Filters, snapshot: Snapshot) -> int:
    """How many rows `queryset` has."""
    return _meaning(filters, snapshot).matched


# What filters mean


def _meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    def find() -> tuple[_Meaning, int]:
        meaning = _find_meaning(filters, snapshot)
        return meaning, 1_000 + sum(map(getsizeof, meaning.given.values()))

    return snapshot.of_counts.once(filters, find)


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


def combined(chosen: Chosen, snapshot: Snapshot, *, indexed: bool = True) -> Q:
    """The condition that a row, published or not, has one of the `chosen` combinations."""
    numbers, outside = snapshot.combinations.array_of(chosen)
    return Q(Among("combination_id", Value(numbers), outside=outside, indexed=indexed))


def are_few(chosen: Chosen, snapshot: Snapshot, wanted: int) -> bool:
    """Whether rows of `chosen` are so few that `wanted` of them are sooner found than read in order."""
    rows = snapshot.rows_of(chosen)
    few = LOOKED_UP * len(chosen.places) + SORTED * rows
    return few * rows < wanted * snapshot.total


def _find_meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    chosen = chosen_by(filters, snapshot)
    days = first, last = snapshot.days_of(chosen)
    if filters.first_day and filters.end_day:
        first = max(first, filters.first_day.toordinal())
        last = min(last, filters.end_day.toordinal() - 1)
    if first > last or not snapshot.rows_of(chosen):
        return _Meaning(given={}, matched=0)
    given = {"loads": snapshot.loads}
    if filters.first_day or (first, last) != snapshot.days:
        given |= _between(first, last)
    # What is counted by a look at rows: only they know what they say, and on which side of a day they are.
    known, unknown = chosen, NONE
    if (first, last) != days:
        known, unknown = (NONE, chosen) if chosen.outside else snapshot.within(chosen, first, last)
    needle = filters.notable_contains.casefold()
    with_texts = None
    if needle:
        known, unknown = NONE, known | unknown
        texts, with_texts = _texts(needle, snapshot)
        if with_texts is not None:
            given["texts"] = texts
    between = snapshot.rows_between(first, last)
    matched = snapshot.rows_of(known)
    if snapshot.rows_of(unknown):
        meant = _meant(unknown, snapshot, given, needle, with_texts, between)
        matched += _count(meant, filters, snapshot)
    return _meant(known | unknown, snapshot, given, needle, with_texts, between, matched)


def _texts(needle: str, snapshot: Snapshot) -> tuple[str, int | None]:
    """The notable texts that hold `needle`, as a parameter, and how many published rows have one of them.

    Neither where they are too many to be named.
    """

    def find() -> tuple[tuple[str, int | None], int]:
        texts = notables.matching(needle, MOST_TEXTS)
        if texts is None:
            return ("", None), 0
        given = {"loads": snapshot.loads, "texts": array_of(texts)}
        [(rows,)] = _counting(frozenset(given), False, "texts").run(given)
        return (given["texts"], int(rows)), getsizeof(given["texts"])

    return snapshot.of_counts.once(("texts", needle), find)


def _between(first: int, last: int) -> dict[str, str]:
    return {name: str(datetime.date.fromordinal(day)) for name, day in (("first", first), ("last", last))}


def _meant(
    chosen: Chosen,
    snapshot: Snapshot,
    given: dict[str, str],
    needle: str,
    with_texts: int | None,
    between: int,
    matched: int = 0,
) -> _Meaning:
    """The meaning of what is `given` and of `chosen` combinations, and how its rows are best found."""
    rows, places, outside = snapshot.rows_of(chosen), 0, False
    index = "" if with_texts is None else "texts"
    if rows < snapshot.total:
        numbers, outside = snapshot.combinations.array_of(chosen)
        given = {**given, "combinations": numbers}
        if not outside and (with_texts is None or rows < with_texts):
            index, places = "combinations", len(chosen.places)
    reached = matched
    if index == "texts":
        reached = with_texts or 0
    elif needle:
        reached = rows
    return _Meaning(
        given=given,
        outside=outside,
        needle=needle,
        matched=matched,
        between=between,
        index=index,
        places=places,
        reached=reached,
    )


def _count(meaning: _Meaning, filters: Filters, snapshot: Snapshot) -> int:
    """How many rows are meant by `meaning`, which is all that `filters` mean or a part of it."""
    if meaning.given.keys() == {"loads", "texts"}:
        return meaning.reached
    if meaning.needle and meaning.given.keys() == {"loads"}:
        return _every(meaning, "").count()
    if meaning.needle:
        # Each row that `filters` mean has to be looked at, so that its day is known as well.
        return _days(filters, meaning, snapshot).rows
    counting = _counting(frozenset(meaning.given), meaning.outside, meaning.index_for(COUNTED))
    [(number,)] = counting.run(meaning.given)
    return int(number)


# The rows by day


@dataclass(frozen=True, slots=True)
class _Days:
    """How many rows match on each day."""

    days: "array[int]"
    """As ordinals, latest first."""
    passed: "array[int]"
    """How many rows are before each day, and at last the number of all."""

    @property
    def rows(self) -> int:
        return self.passed[-1]

    def around(self, meaning: _Meaning, limit: int, offset: int) -> tuple[_Meaning, int]:
        """`meaning` within the days of a page that is not empty, and the page's offset there."""
        latest = bisect_right(self.passed, offset) - 1
        end = bisect_left(self.passed, min(offset + limit, self.rows))
        before = self.passed[latest]
        matched = self.passed[end] - before
        share = matched / self.rows
        # The index of texts knows no days.
        reached = meaning.reached if meaning.index == "texts" else round(meaning.reached * share)
        return (
            replace(
                meaning,
                given=meaning.given | _between(self.days[end - 1], self.days[latest]),
                matched=matched,
                between=round(meaning.between * share),
                reached=reached,
            ),
            offset - before,
        )


def _days(filters: Filters, meaning: _Meaning, snapshot: Snapshot) -> _Days:
    """The matching rows by day, counted once for all pages."""

    def count() -> tuple[_Days, int]:
        days, passed = array("l"), array("l", [0])
        for day, number in _by_day(meaning):
            days.append(ordinal(day))
            passed.append(passed[-1] + number)
        return _Days(days, passed), getsizeof(days) + getsizeof(passed)

    return snapshot.of_counts.once(("days", filters), count)


def _by_day(meaning: _Meaning) -> Iterable[tuple[Any, int]]:
    index = meaning.index_for(COUNTED if meaning.is_indexed else LOOKED_AT)
    if meaning.needle and meaning.texts is None:
        return _grouped_by_day(_every(meaning, index))
    return _counting_days(frozenset(meaning.given), meaning.outside, index).run(meaning.given)


def _grouped_by_day(rows: QuerySet[FareRow]) -> QuerySet[FareRow, Any]:
    # An expression, for dates of a column are parsed one by one on SQLite.
    return rows.annotate(on=UNINDEXED_DAY).order_by("-on").values_list("on").annotate(number=Count("*"))


# The rows


def _rows(
    filters: Filters, meaning: _Meaning, snapshot: Snapshot, limit: int, offset: int, plan: Plan | None
) -> list[tuple[Any, ...]]:
    cost, cheapest = _cheapest(meaning, limit + offset)
    if plan is None and _is_known_by_day(filters, meaning, snapshot, cost):
        plan = Plan.BY_DAY
    if plan is Plan.BY_DAY and offset < (days := _days(filters, meaning, snapshot)).rows:
        meaning, offset = days.around(meaning, limit, offset)
        _, cheapest = _cheapest(meaning, limit + offset)
    if plan not in (Plan.FEW, Plan.IN_ORDER):
        plan = cheapest
    # SQLite finds days by their index, and does not always think of it for their order.
    given = meaning.given if plan is Plan.FEW else _between(*snapshot.days) | meaning.given
    index = meaning.index if plan is Plan.FEW else ""
    if meaning.needle and index != "texts":
        rows = meaning.reached if index else min(1, (limit + offset) / meaning.matched) * meaning.between
        if meaning.texts is None or rows < meaning.texts:
            # So few rows are compared with the needle before the texts are even listed.
            given = {name: value for name, value in given.items() if name != "texts"}
            given["needle"] = meaning.needle
    reading = _reading(frozenset(given), meaning.outside, index, plan, snapshot.is_ascending)
    return reading.run({**given, "limit": limit, "offset": offset})


def _cheapest(meaning: _Meaning, wanted: int) -> tuple[float, Plan]:
    """What the first `wanted` rows cost, and by which plan."""
    few = meaning.found(SORTED)
    in_order = min(1, wanted / meaning.matched) * meaning.between
    return min(few, in_order), Plan.FEW if few <= in_order else Plan.IN_ORDER


def _is_known_by_day(filters: Filters, meaning: _Meaning, snapshot: Snapshot, cost: float) -> bool:
    """Whether the rows are counted by day or should be, for so much was spent on them without it."""
    if snapshot.of_counts.result(("days", filters)):
        return True
    key = ("spent", filters)
    spent = cost + (snapshot.of_counts.result(key) or 0)
    snapshot.of_counts.keep(key, spent, getsizeof(spent))
    by_index = meaning.found(COUNTED if meaning.is_indexed else LOOKED_AT)
    one_by_one = meaning.between * (SCANNED if meaning.given.keys() <= {"first", "last"} else 1)
    return min(by_index, one_by_one) < spent


def _narrowed(
    names: frozenset[str], outside: bool, index: str, parameter: Callable[[str], Expression]
) -> QuerySet[FareRow]:
    """The published rows that fulfil the conditions of these `names`, each with its `parameter`.

    Rows are found by the `index` named, or, where it is empty, by none of what they fulfil but the days.
    """
    rows = FareRow.all_loads.filter(MostlyAmong("load_id", parameter("loads")))
    if index == STORED:
        # Said so that no index of published rows is one of these.
        rows = rows.alias(unpublished=Coalesce("hidden", "hidden")).filter(unpublished=False)
    else:
        rows = rows.filter(hidden=False)
    if "first" in names:
        first, last = parameter("first"), parameter("last")
        day = UNINDEXED_DAY if index in ("texts", STORED) else F("snapshot_day")
        rows = rows.alias(day=day).filter(day__gte=first, day__lte=last)
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
    if meaning.needle and meaning.texts is None:
        rows = rows.filter(notable_id__in=notables.holding(meaning.needle))
    return rows


@lru_cache(maxsize=256)
def _counting(names: frozenset[str], outside: bool, index: str) -> Statement:
    rows = _narrowed(names, outside, index, Blank).values_list("id")
    return Statement(rows, "SELECT count(*) FROM (", ") AS counted")


@lru_cache(maxsize=256)
def _counting_days(names: frozenset[str], outside: bool, index: str) -> Statement:
    return Statement(_grouped_by_day(_narrowed(names, outside, index, Blank)))


@lru_cache(maxsize=256)
def _reading(names: frozenset[str], outside: bool, index: str, plan: Plan, is_ascending: bool) -> Statement:
    """A page in the order of an answer: date, route or query, and airline descend by code point.

    Equal rows keep the order of their files. Ids alone are sorted, for rows are wide.
    """
    # What is sorted has no index, whatever the planner thinks of it.
    in_order = plan is Plan.IN_ORDER
    ids = _ordered(_narrowed(names, outside, index, Blank), is_ascending, by_index=in_order).values("id")
    rows = FareRow.all_loads.filter(id__in=Cut(ids, Blank("limit"), Blank("offset")))
    columns = (*TEXT_FIELDS, *NUMBER_FIELDS, "notable__text", "load_id")
    return Statement(_ordered(rows, is_ascending, by_index=False).values_list(*columns))


def _ordered(rows: QuerySet[FareRow], is_ascending: bool, *, by_index: bool) -> QuerySet[FareRow]:
    """`rows` in the order of an answer, with `by_index` in that of an index.

    The ids of loads stand for the names of their files where they ascend as these do.
    """
    day = F("snapshot_day") if by_index else UNINDEXED_DAY
    if is_ascending:
        file: Any = F("load_id")
    else:
        file = Subquery(Load.objects.filter(pk=OuterRef("load_id")).values("name"))
    return rows.order_by(day.desc(), "-subject", "-airline", file, "position", "id")


def _row(values: tuple[Any, ...], file_names: Mapping[int, str]) -> dict[str, Any]:
    """The fields that say something, in one pass: this runs for each row of each answer."""
    row = {
        name: int(value) if value.__class__ is float and value.is_integer() else value
        for name, value in zip(_NAMES, values, strict=False)
        if value is not None and value != ""
    }
    if file := file_names.get(values[-1]):
        row["source_file"] = file
    if "notable_event" in row and ("route" in row or "airline" in row):
        # What drives a fare has a name of its own in fare data, and clients of old read it.
        row["notable_driver"] = row["notable_event"]
    if "query" not in row:
        named = [str(row[name]) for name in ("route", "airline", "season") if name in row]
        row["query"] = " ".join(named) or row.get("source_file", "")
    return row
