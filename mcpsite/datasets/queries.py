"""Filters to rows: what a question means, and the two plans by which its rows are read.

A filter by categories means a set of combinations (see `mcpsite.datasets.snapshots`), together with some
days. How many rows match, and on which days, is known from memory, except for numbers and prose; until it is
counted ahead (see `mcpsite.datasets.by_day`), also except for days that divide a combination. *Few* rows are
found through their combinations and sorted; of *many*, rows are read in the order of an answer until there
are enough. If either would read many rows, and their days are not known, the matching ones are first counted
by day: then a page is searched for among the rows of its own days, and so is each further page.
"""

import datetime
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from itertools import accumulate
from math import inf
from sys import getsizeof
from typing import Any

from django.db.models import Count, Expression, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, StrIndex

from mcpsite.access.policies import Principal
from mcpsite.core.memory import size_of_rows
from mcpsite.datasets import snapshots, texts
from mcpsite.datasets.by_day import ByDay
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.expressions import Among, AmongSelected, Blank, Cut, MostlyAmong, array_of
from mcpsite.datasets.filters import Days, Filters, Part
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.models import Load
from mcpsite.datasets.snapshots import EVERY, NONE, Chosen, Memories, Snapshot
from mcpsite.datasets.statements import Statement, ordinal

MOST_TEXTS = 5_000
"""Texts that a query lists; if there are more, rows are compared with the needle."""

STORED = "(as stored)"
"""In place of an index: rows are read as they are stored."""
COMBINATIONS = "(combinations)"
"""The index of combinations; those of texts are named after their columns."""
INDEXED = frozenset({"loads", "first", "last", COMBINATIONS})
"""The conditions whose columns are in the indexes of combinations and of days."""

# The costs of plans, in rows that are read in order: 0.4 µs each, on either database.
SORTED = 4
"""A row that is found separately by an index and then sorted."""
LOOKED_AT = 3
"""The same without sorting it."""
LOOKED_UP = 2
"""A combination that is looked up, whether it has rows or not."""
COUNTED = 1
"""A row that is counted by day in an index with all required columns."""
MANY = 1 / 4
"""The share of all rows from which it is cheaper to read all, as they are stored, than to find each."""


class Plan(Enum):
    """How rows are read: all that match and then sorted, or in order until there are enough.

    Either way, whichever costs less, after the matching rows are counted by day.
    """

    FEW = "few"
    IN_ORDER = "in order"
    BY_DAY = "by day"


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some of the matching rows, in order."""

    rows: list[dict[str, Any]]
    """Names of columns to values that are neither empty nor null."""
    matched: int
    undated: int
    """Rows that match all else, but no filter by day because they have no day."""
    total: int
    files: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Meaning:
    """What filters mean in one version of the data."""

    given: dict[str, Any]
    """The conditions that rows have to fulfil, as parameters by name; see `_narrowed`."""
    chosen: "array[int] | None" = None
    """The places of the combinations that rows may have, in the snapshot's; None for any."""
    outside: bool = False
    """Whether `chosen` are those that rows may not have, because these are fewer."""
    needles: tuple[Part, ...] = ()
    """What prose has to contain, casefolded."""
    matched: int
    between: int = 0
    """About how many rows there are from the first to the last day, whatever else they have."""
    index: str = ""
    """By which index a plan for few rows finds them; empty if there is none for that."""
    places: int = 0
    """How many combinations it looks up."""
    reached: int = 0
    """About how many rows it reads."""

    @property
    def names(self) -> frozenset[str]:
        """The names of all conditions."""
        return frozenset(self.given if self.chosen is None else (*self.given, COMBINATIONS))

    @property
    def is_indexed(self) -> bool:
        """Whether the indexes of combinations and days, with loads in them, can count the matching rows."""
        return self.given.keys() <= INDEXED and not self.needles

    @property
    def has_bounds(self) -> bool:
        """Whether rows have to be within bounds of columns that no index has."""
        return any(name.endswith(tuple(_COMPARISONS)) for name in self.given)

    @property
    def unlisted(self) -> list[Part]:
        """The needles in too many texts to list these."""
        return [needle for needle in self.needles if _texts_of(needle.column) not in self.given]

    def found(self, each: float) -> float:
        """Return what it costs to find all rows by the index."""
        return LOOKED_UP * self.places + each * self.reached if self.index else inf

    def index_for(self, each: float) -> str:
        """Return the index, unless it costs more than reading all stored rows."""
        return self.index if self.found(each) < self.between else ""


def page(
    data_set: DataSet,
    filters: Filters,
    who: Principal | None,
    *,
    limit: int,
    offset: int = 0,
    plan: Plan | None = None,
) -> Page:
    """Return the rows from `offset` on that match `filters`, `limit` at most, in the order of an answer.

    Only rows of files that `who` may read; with None, of every file. They are read by `plan`, by default the
    cheapest.
    """
    while True:
        snapshot = snapshots.current(data_set, who)
        meaning = _meaning(filters, snapshot)
        expected = max(0, min(limit, meaning.matched - offset))
        key = (filters, limit, offset, plan)
        rows: list[dict[str, Any]] | None = snapshot.of_rows.result(key) if expected else []
        if rows is None:
            found = _rows(filters, meaning, snapshot, limit, offset, plan)
            rows = [_row(data_set, values, snapshot.file_names) for values in found]
            # If rows have another number, or belong to a file that has come since, the data changed between
            # the queries.
            as_counted = len(rows) == expected and all("source_file" in row for row in rows)
            if not as_counted and snapshots.state(data_set, who) != snapshot.state:
                continue
            snapshot.of_rows.keep(key, rows, size_of_rows(rows))
        return Page(
            rows=rows,
            matched=meaning.matched,
            undated=undated(filters, snapshot) if filters.days else 0,
            total=snapshot.total,
            files=snapshot.files,
        )


def queryset(filters: Filters, snapshot: Snapshot) -> QuerySet[Any]:
    """Return the published rows that match `filters` in the files of `snapshot`, without an order."""
    meaning = _meaning(filters, snapshot)
    if not meaning.matched:
        return snapshot.data_set.model.objects.none()
    return _every(meaning, snapshot, _index_of_rows(meaning, snapshot))


def matched(filters: Filters, snapshot: Snapshot) -> int:
    """Return how many rows `queryset` has."""
    return _meaning(filters, snapshot).matched


def undated(filters: Filters, snapshot: Snapshot) -> int:
    """Return how many rows match all else, but no filter by day because they have no day."""
    day = snapshot.data_set.day
    if not any(days.column == day for days in filters.days) or snapshot.days[0] > NO_DAY.toordinal():
        return 0
    without = tuple(days for days in filters.days if days.column != day)
    nothing = Days(day, NO_DAY, NO_DAY + datetime.timedelta(days=1))
    return matched(replace(filters, days=(*without, nothing)), snapshot)


# What filters mean

NOTHING = _Meaning(given={}, matched=0)


def _meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    def find() -> tuple[_Meaning, int]:
        meaning = _find_meaning(filters, snapshot)
        return meaning, 1_000 + getsizeof(meaning.chosen) + sum(map(getsizeof, meaning.given.values()))

    # Deleted combinations leave the number of rows, but not the places of the others.
    return _memories(filters, snapshot).once((filters, snapshot.combinations.version), find)


def _memories(filters: Filters, snapshot: Snapshot) -> Memories:
    """Return where the number of matching rows is kept: numbers change without a row coming or going."""
    day = snapshot.data_set.day
    of_rows = filters.ranges or any(days.column != day for days in filters.days)
    return snapshot.of_rows if of_rows else snapshot.of_counts


def chosen_by(filters: Filters, snapshot: Snapshot) -> Chosen:
    """Return the combinations that `filters` mean."""
    chosen = EVERY
    for part in filters.parts:
        if part.column in snapshot.data_set.categories:
            find = snapshot.combinations.having if part.exact else snapshot.combinations.holding
            chosen &= find(part.column, part.text)
    return chosen


def combined(chosen: Chosen, snapshot: Snapshot, *, indexed: bool = True) -> Q:
    """Return the condition that a row, published or not, has one of the `chosen` combinations."""
    chosen = snapshot.combinations.smaller(chosen)
    numbers = snapshot.combinations.array_of(chosen.places)
    return Q(Among("combination_id", Value(numbers), outside=chosen.outside, indexed=indexed))


def are_few(chosen: Chosen, snapshot: Snapshot, wanted: int) -> bool:
    """Return whether `wanted` of the rows of `chosen`, being few, are found sooner than read in order."""
    rows = snapshot.rows_of(chosen)
    few = LOOKED_UP * len(chosen.places) + SORTED * rows
    return few * rows < wanted * snapshot.total


def _find_meaning(filters: Filters, snapshot: Snapshot) -> _Meaning:
    data_set = snapshot.data_set
    chosen = chosen_by(filters, snapshot)
    bounds = _bounds(filters, data_set)
    needles = tuple(
        Part(part.column, part.text.casefold()) for part in filters.parts if part.column in data_set.proses
    )
    if (by_day := snapshot.by_day) and not bounds and not needles:
        return _meaning_by_day(filters, chosen, snapshot, by_day)
    days = snapshot.days_of(chosen)
    first, last = _asked_days(filters, snapshot, *days)
    if first > last or not snapshot.rows_of(chosen):
        return NOTHING
    given: dict[str, Any] = {"loads": snapshot.loads}
    if (first, last) != snapshot.days:
        given |= _between(first, last)
    # Counts that need the rows themselves: only these have their values, and their side of a day.
    known, unknown = chosen, NONE
    if (first, last) != days:
        known, unknown = (NONE, chosen) if chosen.outside else snapshot.within(chosen, first, last)
    with_texts: dict[str, int] = {}
    if bounds or needles:
        known, unknown = NONE, known | unknown
        given |= bounds
    for needle in needles:
        named, rows = _texts(needle, snapshot)
        if rows is not None:
            given[_texts_of(needle.column)], with_texts[needle.column] = named, rows
    between = snapshot.rows_between(first, last)
    matched = snapshot.rows_of(known)
    if snapshot.rows_of(unknown):
        meant = _meant(unknown, snapshot, given, needles, with_texts, between)
        matched += _count(meant, filters, snapshot)
    return _meant(known | unknown, snapshot, given, needles, with_texts, between, matched)


def _asked_days(filters: Filters, snapshot: Snapshot, first: int, last: int) -> tuple[int, int]:
    """Return the first and the last of the days from `first` to `last` that `filters` ask for."""
    for each in filters.days:
        if each.column == snapshot.data_set.day:
            first, last = max(first, each.first.toordinal()), min(last, each.end.toordinal() - 1)
    return first, last


def _meaning_by_day(filters: Filters, chosen: Chosen, snapshot: Snapshot, by_day: ByDay) -> _Meaning:
    """Return the meaning of `chosen` combinations and of days, whose rows by day are known."""
    asked = _asked_days(filters, snapshot, *snapshot.days)
    days = _Days.of(by_day.between(chosen.places, *asked, outside=chosen.outside))
    if not days.rows:
        return NOTHING
    _memories(filters, snapshot).keep(("days", filters), days, days.size)
    return days.meaning(chosen, snapshot)


def _bounds(filters: Filters, data_set: DataSet) -> dict[str, Any]:
    """Return the bounds of numbers, and of days other than the first, as parameters."""
    bounds: dict[str, Any] = {}
    for column, least, most in filters.ranges:
        bounds |= {f"{column} >=": least, f"{column} <=": most}
    for each in filters.days:
        if each.column != data_set.day:
            bounds |= {f"{each.column} >=": str(each.first), f"{each.column} <": str(each.end)}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _texts_of(column: str) -> str:
    return f"{column} among"


def _needle_of(column: str) -> str:
    return f"{column} holds"


def _texts(needle: Part, snapshot: Snapshot) -> tuple[str, int | None]:
    """Return the texts that contain a needle, as a parameter, and how many published rows have one of them.

    Neither, if they are too many to list.
    """
    data_set = snapshot.data_set

    def find() -> tuple[tuple[str, int | None], int]:
        found = texts.matching(data_set, needle.text, MOST_TEXTS)
        if found is None:
            return ("", None), 0
        name = _texts_of(needle.column)
        given = {"loads": snapshot.loads, name: array_of(found)}
        [(rows,)] = _counting(data_set, frozenset(given), False, needle.column).run(given)
        return (given[name], int(rows)), getsizeof(given[name])

    return snapshot.of_counts.once(("texts", needle), find)


def _between(first: int, last: int) -> dict[str, str]:
    return {name: str(datetime.date.fromordinal(day)) for name, day in (("first", first), ("last", last))}


def _meant(
    chosen: Chosen,
    snapshot: Snapshot,
    given: dict[str, Any],
    needles: tuple[Part, ...],
    with_texts: Mapping[str, int],
    between: int,
    matched: int = 0,
) -> _Meaning:
    """Return the meaning of what is `given` and of `chosen` combinations, and how its rows are best found."""
    rows, places, outside, numbers = snapshot.rows_of(chosen), 0, False, None
    index = min(with_texts, key=lambda name: with_texts[name], default="")
    if rows < snapshot.total:
        smaller = snapshot.combinations.smaller(chosen)
        numbers, outside = array("I", smaller.places), smaller.outside
        if not outside and rows < with_texts.get(index, inf):
            index, places = COMBINATIONS, len(numbers)
    reached = matched
    if index in with_texts:
        reached = with_texts[index]
    elif given.keys() - INDEXED or needles:
        reached = rows
    return _Meaning(
        given=given,
        chosen=numbers,
        outside=outside,
        needles=needles,
        matched=matched,
        between=between,
        index=index,
        places=places,
        reached=reached,
    )


def _parameters(meaning: _Meaning, snapshot: Snapshot) -> dict[str, Any]:
    """Return the parameters of a statement; the array of combinations is made for those that run."""
    if meaning.chosen is None:
        return meaning.given
    return {**meaning.given, COMBINATIONS: snapshot.combinations.array_of(meaning.chosen)}


def _index_of_rows(meaning: _Meaning, snapshot: Snapshot) -> str:
    """Return by which index rows are found if each of them is looked at, as none has all columns."""
    whole = STORED if meaning.between > MANY * snapshot.total else ""
    return meaning.index_for(LOOKED_AT) or whole


def _index_to_count(meaning: _Meaning, snapshot: Snapshot) -> str:
    """Return by which index rows are counted."""
    if meaning.has_bounds:
        return _index_of_rows(meaning, snapshot)
    return meaning.index_for(COUNTED if meaning.is_indexed else LOOKED_AT)


def _count(meaning: _Meaning, filters: Filters, snapshot: Snapshot) -> int:
    """Return how many rows `meaning` means, which is all that `filters` mean or a part of it."""
    data_set = snapshot.data_set
    if len(meaning.names) == 2 and meaning.index in data_set.proses and not meaning.unlisted:
        return meaning.reached
    if meaning.needles and meaning.names == {"loads"}:
        return _every(meaning, snapshot, "").count()
    if not meaning.is_indexed and data_set.day:
        # Each row that `filters` mean has to be read, so its day is then known as well.
        return _days(filters, meaning, snapshot).rows
    index = _index_to_count(meaning, snapshot)
    if meaning.unlisted:
        return _every(meaning, snapshot, index).count()
    counting = _counting(data_set, meaning.names, meaning.outside, index)
    [(number,)] = counting.run(_parameters(meaning, snapshot))
    return int(number)


# The rows by day


@dataclass(frozen=True, slots=True)
class _Days:
    """How many rows match on each day."""

    days: "array[int]"
    """As ordinals, latest first."""
    passed: "array[int]"
    """How many rows are before each day, and finally the number of all."""

    @classmethod
    def of(cls, counted: Iterable[tuple[Any, int]]) -> "_Days":
        """Return the days, in this order, and the number of rows of each."""
        pairs = [(day if isinstance(day, int) else ordinal(day), rows) for day, rows in counted]
        passed = accumulate((rows for _, rows in pairs), initial=0)
        return cls(array("l", (day for day, _ in pairs)), array("l", passed))

    @property
    def rows(self) -> int:
        return self.passed[-1]

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return getsizeof(self.days) + getsizeof(self.passed)

    def meaning(self, chosen: Chosen, snapshot: Snapshot) -> _Meaning:
        """Return the meaning of `chosen` combinations whose rows these are all."""
        first, last = self.days[-1], self.days[0]
        given: dict[str, Any] = {"loads": snapshot.loads}
        if (first, last) != snapshot.days:
            given |= _between(first, last)
        return _meant(chosen, snapshot, given, (), {}, snapshot.rows_between(first, last), self.rows)

    def page(self, limit: int, offset: int) -> tuple["_Days", int]:
        """Return the days of a non-empty page, and the page's offset there."""
        latest = bisect_right(self.passed, offset) - 1
        end = bisect_left(self.passed, min(offset + limit, self.rows))
        before = self.passed[latest]
        passed = array("l", (rows - before for rows in self.passed[latest : end + 1]))
        return _Days(self.days[latest:end], passed), offset - before


def _within(page: _Days, meaning: _Meaning, snapshot: Snapshot) -> _Meaning:
    """Return `meaning` within the days of a page."""
    first, last = page.days[-1], page.days[0]
    if meaning.is_indexed:
        chosen = EVERY
        if meaning.chosen is not None:
            chosen = Chosen(snapshot.reaching(meaning.chosen, first, last), meaning.outside)
        return page.meaning(chosen, snapshot)
    share = page.rows / meaning.matched
    # The index of texts has no days.
    by_text = meaning.index in snapshot.data_set.proses
    return replace(
        meaning,
        given=meaning.given | _between(first, last),
        matched=page.rows,
        between=round(meaning.between * share),
        reached=meaning.reached if by_text else round(meaning.reached * share),
    )


def _days(filters: Filters, meaning: _Meaning, snapshot: Snapshot) -> _Days:
    """Return the matching rows by day, counted once for all pages."""

    def count() -> tuple[_Days, int]:
        days = _count_by_day(meaning, snapshot)
        return days, days.size

    return _memories(filters, snapshot).once(("days", filters), count)


def _count_by_day(meaning: _Meaning, snapshot: Snapshot) -> _Days:
    data_set, given = snapshot.data_set, meaning.given
    if meaning.is_indexed and snapshot.by_day:
        first, last = map(ordinal, (given["first"], given["last"])) if "first" in given else snapshot.days
        places, outside = ((), True) if meaning.chosen is None else (meaning.chosen, meaning.outside)
        return _Days.of(snapshot.by_day.between(places, first, last, outside=outside))
    index = _index_to_count(meaning, snapshot)
    if meaning.unlisted:
        return _Days.of(_grouped_by_day(data_set, _every(meaning, snapshot, index)))
    counting = _counting_days(data_set, meaning.names, meaning.outside, index)
    return _Days.of(counting.run(_parameters(meaning, snapshot)))


def _unindexed_day(data_set: DataSet) -> Coalesce:
    """Return the day, as an expression that is in no index."""
    return Coalesce(data_set.day, data_set.day)


def _grouped_by_day(data_set: DataSet, rows: QuerySet[Any]) -> QuerySet[Any, Any]:
    # An expression, because dates of a column are parsed one by one on SQLite.
    dated = rows.annotate(mcpsite_day=_unindexed_day(data_set)).order_by("-mcpsite_day")
    counted: QuerySet[Any, Any] = dated.values_list("mcpsite_day").annotate(mcpsite_rows=Count("*"))
    return counted


# The rows


def _rows(
    filters: Filters, meaning: _Meaning, snapshot: Snapshot, limit: int, offset: int, plan: Plan | None
) -> list[tuple[Any, ...]]:
    data_set = snapshot.data_set
    cost, cheapest = _cheapest(meaning, limit + offset)
    if plan is None and data_set.day and _is_known_by_day(filters, meaning, snapshot, cost):
        plan = Plan.BY_DAY
    if plan is Plan.BY_DAY and data_set.day and offset < (days := _days(filters, meaning, snapshot)).rows:
        days_of_page, offset = days.page(limit, offset)
        meaning = _within(days_of_page, meaning, snapshot)
        _, cheapest = _cheapest(meaning, limit + offset)
    if plan not in (Plan.FEW, Plan.IN_ORDER):
        plan = cheapest
    given, index = _parameters(meaning, snapshot), meaning.index if plan is Plan.FEW else ""
    if plan is not Plan.FEW and data_set.day:
        # SQLite finds days by their index, but does not always use it for their order.
        given = _between(*snapshot.days) | given
    for needle in meaning.needles:
        if index == needle.column:
            continue
        named = _texts_of(needle.column)
        rows = meaning.reached if index else min(1, (limit + offset) / meaning.matched) * meaning.between
        if named not in given or rows < given[named].count(",") + 1:
            # So few rows are compared with the needle before the texts are even listed.
            given = {name: value for name, value in given.items() if name != named}
            given[_needle_of(needle.column)] = needle.text
    reading = _reading(data_set, frozenset(given), meaning.outside, index, plan, snapshot.is_ascending)
    return reading.run({**given, "limit": limit, "offset": offset})


def _cheapest(meaning: _Meaning, wanted: int) -> tuple[float, Plan]:
    """Return the cost of the first `wanted` rows, and the plan."""
    few = meaning.found(SORTED)
    in_order = min(1, wanted / meaning.matched) * meaning.between
    return min(few, in_order), Plan.FEW if few <= in_order else Plan.IN_ORDER


def _is_known_by_day(filters: Filters, meaning: _Meaning, snapshot: Snapshot, cost: float) -> bool:
    """Return whether the rows are counted by day or should be, because so much was spent without it."""
    memories = _memories(filters, snapshot)
    if (meaning.is_indexed and snapshot.by_day) or memories.result(("days", filters)):
        return True
    key = ("spent", filters)
    spent = cost + (memories.result(key) or 0)
    memories.keep(key, spent, getsizeof(spent))
    by_index = meaning.found(COUNTED if meaning.is_indexed else LOOKED_AT)
    return min(by_index, meaning.between) < spent


_COMPARISONS = {">=": "gte", "<=": "lte", "<": "lt"}


def _narrowed(
    data_set: DataSet,
    names: frozenset[str],
    outside: bool,
    index: str,
    parameter: Callable[[str], Expression],
) -> QuerySet[Any]:
    """Return the published rows that fulfil the conditions `names`, each with its `parameter`.

    Rows are found by the `index` named, or, if it is empty, by no condition except the days.
    """
    rows: QuerySet[Any] = data_set.model.all_loads.filter(MostlyAmong("load_id", parameter("loads")))
    if index == STORED:
        # Written so that no index of published rows matches it.
        rows = rows.alias(mcpsite_unpublished=Coalesce("hidden", "hidden")).filter(mcpsite_unpublished=False)
    else:
        rows = rows.filter(hidden=False)
    if "first" in names and data_set.day:
        first, last = parameter("first"), parameter("last")
        unindexed = index == STORED or index in data_set.proses
        day = _unindexed_day(data_set) if unindexed else F(data_set.day)
        rows = rows.alias(mcpsite_day=day).filter(mcpsite_day__gte=first, mcpsite_day__lte=last)
    if COMBINATIONS in names:
        indexed = index == COMBINATIONS
        among = Among("combination_id", parameter(COMBINATIONS), outside=outside, indexed=indexed)
        rows = rows.filter(among)
    # In their order, so that the same question makes the same statement.
    for name in sorted(names - INDEXED):
        column, _, comparison = name.partition(" ")
        given = parameter(name)
        if comparison in _COMPARISONS:
            rows = rows.filter(**{f"{column}__{_COMPARISONS[comparison]}": given})
            if column in data_set.days:
                rows = rows.exclude(**{column: NO_DAY})
        elif name == _texts_of(column):
            rows = rows.filter(Among(data_set.attribute(column), given, indexed=index == column))
        else:
            at = StrIndex(f"{column}__folded", given)
            rows = rows.alias(**{f"mcpsite_at_{column}": at}).filter(**{f"mcpsite_at_{column}__gt": 0})
    return rows


def _every(meaning: _Meaning, snapshot: Snapshot, index: str) -> QuerySet[Any]:
    """Return all rows that are meant."""
    data_set, given = snapshot.data_set, _parameters(meaning, snapshot)
    rows = _narrowed(data_set, meaning.names, meaning.outside, index, lambda name: Value(given[name]))
    for needle in meaning.unlisted:
        column, holding = data_set.attribute(needle.column), texts.holding(data_set, needle.text)
        if min(meaning.between, meaning.found(LOOKED_AT)) < LOOKED_AT * MOST_TEXTS:
            # The texts of so few rows are sooner looked at than all texts that contain the needle.
            rows = rows.filter(**{f"{column}__in": holding})
        else:
            rows = rows.filter(AmongSelected(column, holding, indexed=not index))
    return rows


@lru_cache(maxsize=256)
def _counting(data_set: DataSet, names: frozenset[str], outside: bool, index: str) -> Statement:
    rows = _narrowed(data_set, names, outside, index, Blank).values_list("id")
    return Statement(rows, "SELECT count(*) FROM (", ") AS counted")


@lru_cache(maxsize=256)
def _counting_days(data_set: DataSet, names: frozenset[str], outside: bool, index: str) -> Statement:
    return Statement(_grouped_by_day(data_set, _narrowed(data_set, names, outside, index, Blank)))


@lru_cache(maxsize=256)
def _reading(
    data_set: DataSet, names: frozenset[str], outside: bool, index: str, plan: Plan, is_ascending: bool
) -> Statement:
    """Return the statement for a page in the order of an answer. Equal rows keep the order of their files.

    Only ids are sorted, because rows are wide.
    """
    # What is sorted has no index, whatever the planner prefers.
    in_order = plan is Plan.IN_ORDER
    narrowed = _narrowed(data_set, names, outside, index, Blank)
    ids = _ordered(data_set, narrowed, is_ascending, by_index=in_order).values("id")
    rows = data_set.model.all_loads.filter(pk__in=Cut(ids, Blank("limit"), Blank("offset")))
    columns = (*map(data_set.path, data_set.shown), "load_id")
    ordered = _ordered(data_set, rows, is_ascending, by_index=False).values_list(*columns)
    # Nothing else is to be weighed: these are found by the one index that the plan asks for.
    return Statement(ordered, prepared=names <= INDEXED and "first" in names)


def _ordered(data_set: DataSet, rows: QuerySet[Any], is_ascending: bool, *, by_index: bool) -> QuerySet[Any]:
    """Return `rows` in the order of an answer, with `by_index` in that of an index.

    The ids of loads replace the names of their files if both ascend together.
    """
    first, *others = data_set.ordering
    column: Any = F(first.removeprefix("-"))
    if not by_index:
        column = Coalesce(column, column)
    leading = column.desc() if first.startswith("-") else column.asc()
    if is_ascending:
        file: Any = F("load_id")
    else:
        file = Subquery(Load.objects.filter(pk=OuterRef("load_id")).values("name"))
    return rows.order_by(leading, *others, file, "position", "id")


def _row(data_set: DataSet, values: tuple[Any, ...], file_names: Mapping[int, str]) -> dict[str, Any]:
    """Return the columns with a value, in one pass: this runs for each row of each answer."""
    row = {
        name: int(value) if value.__class__ is float and value.is_integer() else value
        for name, value in zip(data_set.shown, values, strict=False)
        if value is not None and value != ""
    }
    for name in data_set.shown_days:
        if name in row:
            # SQLite returns texts.
            day = row[name] = str(row[name])
            if day == _NO_DAY:
                del row[name]
    if file := file_names.get(values[-1]):
        row["source_file"] = file
    data_set.model.show(row)
    return row


_NO_DAY = str(NO_DAY)
