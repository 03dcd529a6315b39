"""What a worker remembers of a version of a data set: for each combination its published rows and days.

Combinations are few even if rows are many. A worker reads their counts once for each version of the data, and
answers from memory what a filter means and how many rows match. After a curator's change it reads only the
changes.
"""

import threading
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import accumulate, compress, count, groupby
from operator import itemgetter
from sys import getsizeof
from typing import Any, NamedTuple, TypeVar

from django.db.models import Count, Max, Min, QuerySet, Sum, Value

from mcpsite.access.policies import Principal
from mcpsite.core.memory import memory, size_of
from mcpsite.datasets import versions
from mcpsite.datasets.by_day import ByDay, TooLarge, UnknownDay
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.expressions import Among, Blank, MostlyAmong, array_of
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.models import Combination, CombinationCount, SourceFile
from mcpsite.datasets.statements import Statement, ordinal
from mcpsite.datasets.versions import Version

Result = TypeVar("Result")


class State(NamedTuple):
    """A version of a data set, and what somebody may read in it."""

    data_set: str
    """The data set's label."""
    version: Version
    visible: frozenset[int] | None
    """The ids of files; None for all."""


SUGGESTIONS = 500
"""Values that a field of a page offers; each of them is in the page."""
NEVER = 1 << 30
"""A day after all others."""
_UNDATED = NO_DAY.toordinal()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A set of combinations, by their places; with `outside`, all but these."""

    places: frozenset[int]
    outside: bool = False

    def __and__(self, other: "Chosen") -> "Chosen":
        if self.outside and other.outside:
            return Chosen(self.places | other.places, outside=True)
        if self.outside:
            return other & self
        return Chosen(
            self.places - other.places if other.outside else self.places & other.places, outside=False
        )

    def __or__(self, other: "Chosen") -> "Chosen":
        return ~(~self & ~other)

    def __invert__(self) -> "Chosen":
        return Chosen(self.places, not self.outside)


NONE = Chosen(frozenset())
EVERY = ~NONE


class Combinations:
    """All combinations, each with a place, and for each value of a category the places that have it."""

    def __init__(self, data_set: DataSet, version: int) -> None:
        self.version = version
        self.ids = array("q")
        names = data_set.categories
        known: list[dict[str, int]] = [{} for _ in names]
        columns = [array("I") for _ in names]
        stored = (
            Combination.objects.filter(data_set=data_set.label).order_by("id").values_list("id", "values")
        )
        for number, values in stored.iterator(chunk_size=5_000):
            self.ids.append(number)
            for name, numbers, column in zip(names, known, columns, strict=True):
                column.append(numbers.setdefault(values.get(name, ""), len(numbers)))
        self.values: dict[str, list[str]] = {}
        """The values of each category, in order."""
        self.numbers: dict[str, array[int]] = {}
        """For each category and each combination: the place of its value among the values."""
        self._members: dict[str, list[array[int]]] = {}
        self._folded: dict[str, list[str]] = {}
        for name, numbers, column in zip(names, known, columns, strict=True):
            self.values[name] = sorted(numbers)
            self._folded[name] = [value.casefold() for value in self.values[name]]
            order = array("I", bytes(4 * len(numbers)))
            for place, value in enumerate(self.values[name]):
                order[numbers[value]] = place
            self.numbers[name] = array("I", map(order.__getitem__, column))
            members = self._members[name] = [array("I") for _ in numbers]
            for place, number in enumerate(self.numbers[name]):
                members[number].append(place)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        arrays = [self.ids, *self.numbers.values(), *(a for m in self._members.values() for a in m)]
        return size_of(self.values) + size_of(self._folded) + sum(map(getsizeof, arrays))

    def holding(self, name: str, needle: str) -> Chosen:
        """Return the combinations whose value of the category `name` contains `needle`, in any case."""
        folded = needle.casefold()
        return self._having(name, [folded in value for value in self._folded[name]])

    def having(self, name: str, value: str) -> Chosen:
        """Return the combinations with exactly this value."""
        return self._having(name, [each == value for each in self.values[name]])

    def _having(self, name: str, marks: list[bool]) -> Chosen:
        inside = list(compress(self._members[name], marks))
        if 2 * sum(map(len, inside)) <= len(self.ids):
            return Chosen(frozenset().union(*inside))
        others = compress(self._members[name], [not mark for mark in marks])
        return Chosen(frozenset().union(*others), outside=True)

    def smaller(self, chosen: Chosen) -> Chosen:
        """Return the same as `chosen`, but as all outside of the others if those are fewer."""
        if 2 * len(chosen.places) <= len(self.ids):
            return chosen
        return Chosen(frozenset(range(len(self.ids))) - chosen.places, not chosen.outside)

    def array_of(self, places: Iterable[int]) -> str:
        """Return the ids of the combinations at `places` as a parameter."""
        return array_of(map(self.ids.__getitem__, places))

    def place_of(self, number: int) -> int | None:
        """Return the place of the combination with this id, if it is one of these."""
        place = bisect_left(self.ids, number)
        return place if place < len(self.ids) and self.ids[place] == number else None


@cache
def _counts(*, some: bool) -> Statement:
    """Return the query for each combination with published rows in some loads: number, first and last day.

    With `some`, only of these combinations.
    """
    counts = CombinationCount.objects.filter(Among("load_id", Blank("loads")), rows__gt=0).order_by()
    if some:
        counts = counts.filter(Among("combination_id", Blank("combinations")))
    counted = counts.values_list("combination_id").annotate(Sum("rows"), Min("first_day"), Max("last_day"))
    return Statement(counted)


@cache
def _days(data_set: DataSet) -> Statement:
    """Return the query for the days of published rows in some loads."""
    return Statement(_published(data_set).values_list(data_set.day).distinct())


@cache
def _counts_by_day(data_set: DataSet) -> Statement:
    """Return the query for each of some combinations, and each day on which it has rows: their number."""
    rows = _published(data_set).filter(Among("combination_id", Blank("combinations")))
    counted = rows.values_list("combination_id", data_set.day).annotate(Count("id"))
    return Statement(counted.order_by("combination_id"))


def _published(data_set: DataSet) -> QuerySet[Any]:
    rows: QuerySet[Any] = data_set.model.all_loads.filter(
        MostlyAmong("load_id", Blank("loads")), hidden=False
    )
    return rows


AT_ONCE = 50_000
"""Rows that are counted by day in one statement, which takes about a tenth of a second."""
MOST_OF_ONE = 500_000
"""Rows of one combination: all of them are counted again whenever one of them comes, goes or moves."""


def _place(day: int, before: int) -> int:
    return 0 if day == _UNDATED else max(1, day - before)


class Memories:
    """What was computed for one state of the data."""

    def __init__(self, kind: str, state: Hashable) -> None:
        self._state = (kind, state)

    def result(self, key: Hashable) -> Any:
        """Return what was kept under `key`, or None."""
        return memory.get((*self._state, key))

    def keep(self, key: Hashable, result: Any, size: int) -> None:
        """Remember a result, which takes `size` bytes, while this state lasts."""
        memory.keep((*self._state, key), result, size)

    def once(self, key: Hashable, compute: Callable[[], tuple[Result, int]]) -> Result:
        """Return what was kept under `key`, or else the result of `compute` (with its size), then kept."""
        result: Result | None = self.result(key)
        if result is None:
            with _alone((*self._state, key)):
                result = self.result(key)
                if result is None:
                    result, size = compute()
                    self.keep(key, result, size)
        return result


class Snapshot:
    """A version of the data for those who may read one set of files.

    For each combination, at its place: the number of its published rows, 0 if there are none, and their first
    and last days as ordinals.
    """

    def __init__(self, data_set: DataSet, state: State) -> None:
        self.data_set = data_set
        self._set_state(state)
        self._read_files()
        found = list(_counts(some=False).run({"loads": self.loads}))
        # Read after the counts, so that each of them is known.
        self.combinations = _combinations(data_set)
        number = len(self.combinations.ids)
        self.rows = array("I", bytes(4 * number))
        self.first = array("i", [NEVER]) * number
        self.last = array("i", bytes(4 * number))
        self._counted: tuple[ByDay | None, Sequence[int]] | None = None if data_set.day else (None, ())
        """The rows by day of some combinations, and the places of those that are left; None before any are
        counted. A ByDay that is here changes no more."""
        self._take(found)

    def _set_state(self, state: State) -> None:
        self.state = state
        self.of_rows = Memories(_ROWS, state)
        """Results that depend on all values of rows."""
        self.of_counts = Memories(_COUNTS, (state.data_set, state.version.counts, state.visible))
        """Results that depend only on combinations, days and texts, and on which rows there are."""

    def _read_files(self) -> None:
        files = self.data_set.files.published().order_by("name")
        if self.state.visible is not None:
            files = files.filter(Among("id", Value(array_of(sorted(self.state.visible)))))
        self.file_names: dict[int, str] = dict(files.values_list("current_id", "name"))
        """By the ids of their current loads, in order of names."""
        self.files = list(self.file_names.values())
        self.is_ascending = list(self.file_names) == sorted(self.file_names)
        """Whether the ids of the loads ascend as the names of the files do."""
        self.loads = array_of(sorted(self.file_names))
        """The loads whose rows may be read, as a parameter of a statement."""

    def _take(self, counts: Iterable[tuple[Any, ...]]) -> None:
        for combination, rows, first, last in counts:
            place = self.combinations.place_of(combination)
            if place is None:  # Its rows have gone meanwhile, and the next call sees that.
                continue
            self.rows[place] = rows
            self.first[place] = ordinal(first)
            self.last[place] = ordinal(last)
        self.total = sum(self.rows)
        self.days = min(self.first, default=NEVER), max(self.last, default=0)
        """The first and the last day of all."""

    @property
    def by_day(self) -> ByDay | None:
        """The rows by day, once all are counted and if there is room for them."""
        counted = self._counted
        return counted[0] if counted and not counted[1] else None

    def count_by_day(self) -> bool:
        """Count about AT_ONCE more of the rows by day; return whether some are left.

        It takes a while in all, so that one thread does it ahead of questions, and not all at once.
        """
        if self._counted is None:
            if max(self.rows, default=0) > MOST_OF_ONE:
                self._counted = None, ()
                return False
            days = [ordinal(day) for (day,) in _days(self.data_set).run({"loads": self.loads})]
            self._counted = ByDay(sorted(days), len(self.rows)), array("I", compress(count(), self.rows))
        by_day, left = self._counted
        if by_day and left:
            passed = accumulate(map(self.rows.__getitem__, left))
            size = next((number for number, rows in enumerate(passed, 1) if rows >= AT_ONCE), len(left))
            by_day = by_day.copy()
            try:
                self._count_by_day(by_day, left[:size])
            except UnknownDay:  # The data have changed, and their days are read again.
                self._counted = None
                return True
            except TooLarge:
                by_day, size = None, len(left)
            self._counted = by_day, left[size:]
        return bool(self._counted[1])

    def _count_by_day(self, by_day: ByDay, places: Collection[int]) -> None:
        """Count the rows of the combinations at `places`. Raises UnknownDay and TooLarge."""
        given = {"loads": self.loads, "combinations": self.combinations.array_of(places)}
        without = set(places)
        for combination, days in groupby(_counts_by_day(self.data_set).run(given), itemgetter(0)):
            place = self.combinations.place_of(combination)
            if place is not None:
                by_day.put(place, {ordinal(day): rows for _, day, rows in days})
                without.discard(place)
        for place in without:
            by_day.put(place, {})

    def at(self, state: State) -> "Snapshot | None":
        """Return the snapshot of `state`, with the same readable files, from this one and the changes since.

        None if these are not known, or not few.
        """
        changed = versions.changed_between(self.data_set, self.state.version.counts, state.version.counts)
        if changed is None:
            return None
        later = copy(self)
        later._set_state(state)
        if changed:
            later._read_files()
            if later.loads != self.loads or not later._take_changed(changed):
                return None
        return later

    def _take_changed(self, changed: Collection[int]) -> bool:
        """Update the counts of these combinations; return False if some are unknown here."""
        places = [self.combinations.place_of(combination) for combination in changed]
        known = [place for place in places if place is not None]
        if len(known) < len(places):
            return False
        before = self.total, self.days
        self.rows, self.first, self.last = self.rows[:], self.first[:], self.last[:]
        for place in known:
            self.rows[place], self.first[place], self.last[place] = 0, NEVER, 0
        self._take(_counts(some=True).run({"loads": self.loads, "combinations": array_of(changed)}))
        if (self.total, self.days) != before:
            self.__dict__.pop("_spread", None)
        if self._counted and self._counted[0]:
            by_day, left = self._counted
            self._counted = by_day, array("I", {*left, *known})
        return True

    @property
    def size(self) -> int:
        """Bytes of memory, without the combinations that snapshots share."""
        by_day = self._counted[0].size if self._counted and self._counted[0] else 0
        return size_of(self.file_names) + sum(map(getsizeof, (self.rows, self.first, self.last))) + by_day

    def values(self, name: str) -> list[str]:
        """Return the values of a category that published rows have, in order."""
        present = set(compress(self.combinations.numbers[name], self.rows))
        return [self.combinations.values[name][value] for value in sorted(present)]

    def rows_by(self, name: str, chosen: Chosen = EVERY) -> Counter[str]:
        """Return for each value of a category how many published rows of `chosen` have it."""
        numbers, rows = self.combinations.numbers[name], self.rows
        totals: Counter[int] = Counter()
        for place in self.places_of(chosen):
            totals[numbers[place]] += rows[place]
        return Counter(
            {self.combinations.values[name][value]: rows for value, rows in totals.items() if rows}
        )

    def places_of(self, chosen: Chosen) -> Iterable[int]:
        """Return the places of the combinations `chosen`."""
        if not chosen.outside:
            return chosen.places
        return (place for place in range(len(self.rows)) if place not in chosen.places)

    def rows_of(self, chosen: Chosen) -> int:
        """Return how many published rows have one of the combinations `chosen`."""
        rows = sum(map(self.rows.__getitem__, chosen.places))
        return self.total - rows if chosen.outside else rows

    def days_of(self, chosen: Chosen) -> tuple[int, int]:
        """Return days between which all rows of `chosen` are; if these are most rows, the days of all."""
        if chosen.outside or not chosen.places:
            return self.days
        return min(map(self.first.__getitem__, chosen.places)), max(map(self.last.__getitem__, chosen.places))

    def within(self, chosen: Chosen, first: int, last: int) -> tuple[Chosen, Chosen]:
        """Return those of `chosen` (not outside) with all rows in these days, and those with some."""
        some = self.reaching(chosen.places, first, last)
        every = {place for place in some if self.first[place] >= first and self.last[place] <= last}
        return Chosen(frozenset(every)), Chosen(some - every)

    def reaching(self, places: Iterable[int], first: int, last: int) -> frozenset[int]:
        """Return those of `places` whose rows are not all before or after these days."""
        begin, end = self.first, self.last
        return frozenset([place for place in places if begin[place] <= last and end[place] >= first])

    def rows_between(self, first: int, last: int) -> int:
        """Return about how many rows are in these days, assuming those of a combination are spread evenly."""
        before, rows = self._spread
        begin, end = (min(_place(day, before), len(rows) - 2) for day in (first, last))
        return round(rows[end + 1] - rows[begin])

    @cached_property
    def _spread(self) -> tuple[int, "array[float]"]:
        """The day before all days, and how many rows are before each day from then on.

        Rows without a day are on the first of these, or count as if they had a day if others of their
        combination have one.
        """
        before = min((day for day in self.first if day > _UNDATED), default=_UNDATED) - 1
        # How many more rows a day has than the one before it.
        changes = [0.0] * (_place(self.days[1], before) + 2)
        for first, last, number in zip(self.first, self.last, self.rows, strict=True):
            if number:
                begin, end = _place(first, before), _place(last, before)
                if begin == 0:
                    begin = min(1, end)
                each = number / (end + 1 - begin)
                changes[begin] += each
                changes[end + 1] -= each
        return before, array("d", accumulate(accumulate(changes), initial=0.0))


_ROWS, _COUNTS, _READERS = "rows", "counts", "readers"
_SNAPSHOT = "snapshot"
_SHARED = "combinations"
_waiting: dict[Hashable, list[threading.Lock]] = {}
_flights = threading.Lock()
_computing = threading.BoundedSemaphore(2)
"""More aggregations at once would take more memory and be ready no sooner."""
_warmed: dict[str, Version] = {}
_uncounted: dict[str, list[Principal | None]] = {}
"""For each data set, for whom its rows are still to be counted by day in the version that is warmed."""
_last: dict[str, Snapshot] = {}
"""For each data set, the snapshot that was last requested: kept even if it alone is larger than all that
is remembered.
"""


@contextmanager
def _alone(key: Hashable) -> Iterator[None]:
    """Let one thread at a time do the work of `key`; the others wait."""
    with _flights:
        locks = _waiting.setdefault(key, [threading.Lock()])
        # One entry for each thread that works or waits: the last one removes the key.
        locks.append(locks[0])
    try:
        with locks[0]:
            yield
    finally:
        with _flights:
            locks.pop()
            if len(locks) == 1:
                del _waiting[key]


def _combinations(data_set: DataSet) -> Combinations:
    """Return all existing combinations, from memory while they do not change."""
    version = versions.read_combinations(data_set)
    key = (_SHARED, data_set.label, version)
    with _alone(key):
        found: Combinations | None = memory.get(key)
        if found is None:
            memory.forget(lambda other: other[:2] == key[:2])
            found = Combinations(data_set, version)
            memory.keep(key, found, found.size)
        return found


class _Readers:
    """Who may read which files of a data set, in one version of it."""

    def __init__(self, data_set: DataSet, version: Version) -> None:
        self._data_set, self.version = data_set, version
        limits = SourceFile.groups.through.objects.filter(sourcefile__data_set=data_set.label)
        self._limited = limits.exists()

    def visible_to(self, who: Principal) -> frozenset[int] | None:
        """Return the ids of the files that `who` may read; None for all."""
        policy, label = self._data_set.policy, self._data_set.label
        if not policy.admits(who):
            return frozenset()
        groups = policy.groups_of(who) if self._limited else None
        if groups is None:
            return None
        _recent[label, groups] = who
        if len(_recent) > _MOST_RECENT:
            _recent.pop(next(iter(_recent)), None)
        key = (_READERS, (label, self.version), groups)
        visible: frozenset[int] | None = memory.get(key)
        if visible is None:
            files = policy.visible_to(who, self._data_set.files)
            visible = frozenset(files.values_list("pk", flat=True))
            memory.keep(key, visible, size_of(visible))
        return visible


_readers = lru_cache(maxsize=32)(_Readers)
_MOST_RECENT = 16
_recent: dict[tuple[str, frozenset[int]], Principal] = {}
"""For a data set and some groups whose limited files were looked up, a person in these groups."""


def state(data_set: DataSet, who: Principal | None) -> State:
    """Return the current version of the data, and which files `who` may read; with None, every file."""
    version = versions.read(data_set)
    visible = None if who is None else _readers(data_set, version).visible_to(who)
    return State(data_set.label, version, visible)


def current(data_set: DataSet, who: Principal | None) -> Snapshot:
    """Return the snapshot of the current data for `who`; with None, of every file, for curators.

    Costs one query of one row while the data, and who may read it, do not change.
    """
    now = state(data_set, who)
    last = _last.get(data_set.label)
    if last is None or last.state != now:
        last = _last[data_set.label] = _built(data_set, now, last)
    return last


def _built(data_set: DataSet, state: State, last: Snapshot | None) -> Snapshot:
    """Return the snapshot of `state`; `last` is another one, from which it may be made."""
    with _alone((_SNAPSHOT, state)):
        key = _key(state)
        known: Snapshot | None = memory.get(key)
        if known is None and last and last.state.visible == state.visible:
            known = last
        if known and known.state == state:
            return known
        snapshot = (known and known.at(state)) or Snapshot(data_set, state)
        memory.forget(lambda other: _is_past(other, state))
        memory.keep(key, snapshot, snapshot.size)
        return snapshot


def _key(state: State) -> Hashable:
    return (_SNAPSHOT, state.data_set, state.visible)


def _is_past(key: Any, state: State) -> bool:
    """Return whether what is remembered under `key` is of a version of the data set other than `state`."""
    kind, of, *_ = key
    if kind == _COUNTS:
        return bool(of[0] == state.data_set and of[1] != state.version.counts)
    if kind == _ROWS:
        return bool(of.data_set == state.data_set and of.version != state.version)
    return bool(kind == _READERS and of[0] == state.data_set and of[1] != state.version)


def warm(data_set: DataSet) -> None:
    """Compute what the next callers need of a new version of the data, so that none of them waits for it."""
    label, version = data_set.label, versions.read(data_set)
    if version != _warmed.get(label):
        theirs = [who for (other, _), who in _recent.copy().items() if other == label]
        for who in (None, *theirs):
            current(data_set, who)
        _warmed[label], _uncounted[label] = version, [None, *theirs]
    uncounted = _uncounted.get(label)
    while uncounted:
        # One after another, and each once, even if there is no room for all of them or counting fails.
        who = uncounted.pop()
        snapshot = current(data_set, who)
        is_left = snapshot.count_by_day()
        if memory.get(_key(snapshot.state)) is snapshot:
            memory.keep(_key(snapshot.state), snapshot, snapshot.size)
        if is_left:
            uncounted.append(who)
            break


def computed(
    data_set: DataSet, who: Principal | None, key: Hashable, compute: Callable[[Snapshot], Result]
) -> tuple[Result, Snapshot]:
    """Return the result of `compute` for the current data and `who`, and the snapshot that it is from.

    Computed once for each `key` while the data do not change; again if they change meanwhile, because it may
    then contain rows that came since, of files that `who` may not read.
    """
    while True:
        snapshot = current(data_set, who)
        result: Result | None = snapshot.of_rows.result(key)
        if result is not None:
            return result, snapshot
        with _alone((*snapshot.state, key)), _computing:
            result = snapshot.of_rows.result(key) or compute(snapshot)
            if state(data_set, who) == snapshot.state:
                snapshot.of_rows.keep(key, result, size_of(result))
                return result, snapshot
