"""The routes, airlines and seasons there are, and how many published rows each combination has.

They are few where rows are many. The counts stand in a table of their own, which is changed in the
transaction that changes the rows; a worker reads them once for each version of the data and answers
from memory which values a filter means and how many rows match.
"""

import threading
from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from itertools import compress
from sys import getsizeof
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Count, QuerySet, Sum

from airfare import versions
from airfare.expressions import among
from airfare.models import FILES, Combination, FareRow, SourceFile
from airfare.records import airports_of
from mcpsite.access.policies import Principal
from mcpsite.core.memory import memory, size_of

Result = TypeVar("Result")
State = tuple[int, frozenset[int] | None]
"""A version of the data, and the ids of the files that somebody may read in it; None for all there are."""

KEY = ("source_file_id", "route", "airline", "season")
SUGGESTIONS = 500
"""Values that a field of a page offers; each of them is in the page."""
CATEGORIES = ("route", "airline", "season")


# The counts, as they are kept


def add(counts: Counter[tuple[int, str, str, str]]) -> None:
    """Add `counts` (negative ones too) by file, route, airline and season to those of the published rows."""
    rows = [
        (file, route, *airports_of(route), airline, season, rows)
        for (file, route, airline, season), rows in counts.items()
        if rows
    ]
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO airfare_combination AS kept "
            "(source_file_id, route, origin_airport, destination_airport, airline, season, rows) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (source_file_id, route, airline, season) "
            "DO UPDATE SET rows = kept.rows + excluded.rows",
            rows,
        )
        cursor.execute("DELETE FROM airfare_combination WHERE rows = 0")


def count(rows: QuerySet[FareRow]) -> Counter[tuple[int, str, str, str]]:
    """`rows` by file, route, airline and season."""
    groups = rows.order_by().values_list(*KEY).annotate(Count("id"))
    return Counter({(file, route, airline, season): n for file, route, airline, season, n in groups})


def forget(source_file_id: int) -> None:
    """Drop the counts of a file."""
    Combination.objects.filter(source_file_id=source_file_id).delete()


# The counts, as a worker remembers them


class Snapshot:
    """What one version of the data holds for those who see one set of files (by id; None for all).

    A combination is a number into each category's values, and its number of published rows: a tenth of the
    memory that a tuple of texts takes.
    """

    def __init__(self, version: int, visible: frozenset[int] | None) -> None:
        self.state = (version, visible)
        self.visible = visible
        files = SourceFile.objects.published().order_by("name")
        combinations = Combination.objects.order_by()
        if visible is not None:
            files = files.filter(among("id", visible))
            combinations = combinations.filter(among("source_file_id", visible))
        self.files: list[str] = list(files.values_list("name", flat=True))
        self.file_names = frozenset(self.files)
        known: list[dict[str, int]] = [{} for _ in CATEGORIES]
        numbers = [array("I") for _ in CATEGORIES]
        self.rows = array("I")
        """The published rows of each combination."""
        counted = combinations.values_list(*CATEGORIES).annotate(Sum("rows"))
        for *values, rows in counted.iterator(chunk_size=5_000):
            for value, ids, column in zip(values, known, numbers, strict=True):
                column.append(ids.setdefault(value, len(ids)))
            self.rows.append(rows)
        self.total = sum(self.rows)
        self.values: dict[str, list[str]] = {}
        """The values of each category that some published row has, in order."""
        self.numbers: dict[str, array[int]] = {}
        """Of each category, for each combination: the place of its value among the values."""
        for name, ids, column in zip(CATEGORIES, known, numbers, strict=True):
            self.values[name] = sorted(ids)
            places = array("I", bytes(4 * len(ids)))
            for place, value in enumerate(self.values[name]):
                places[ids[value]] = place
            self.numbers[name] = array("I", map(places.__getitem__, column))

    @property
    def routes(self) -> list[str]:
        return self.values["route"]

    @property
    def airlines(self) -> list[str]:
        return self.values["airline"]

    @property
    def seasons(self) -> list[str]:
        return self.values["season"]

    @property
    def size(self) -> int:
        """Bytes of memory."""
        columns = [self.rows, *self.numbers.values()]
        return size_of(self.files) + size_of(self.values) + sum(map(getsizeof, columns))

    def rows_by(self, name: str) -> Counter[str]:
        """The number of published rows of each value of a category."""
        totals = array("Q", bytes(8 * len(self.values[name])))
        for place, rows in zip(self.numbers[name], self.rows, strict=True):
            totals[place] += rows
        return Counter(dict(zip(self.values[name], totals, strict=True)))

    def rows_with(self, chosen: dict[str, bytearray]) -> int:
        """How many published rows have, of each category in `chosen`, a value that is marked there."""
        if not chosen:
            return self.total
        fulfilled = [map(marks.__getitem__, self.numbers[name]) for name, marks in chosen.items()]
        return sum(compress(self.rows, map(min, *fulfilled) if len(fulfilled) > 1 else fulfilled[0]))

    def result(self, key: Hashable) -> Any:
        """What was kept under `key`, or None."""
        return memory.get((_MEMORY, *self.state, key))

    def keep(self, key: Hashable, result: Any, size: int) -> None:
        """Remember what was computed, which takes `size` bytes, while this version lasts."""
        memory.keep((_MEMORY, *self.state, key), result, size)


_MEMORY = "airfare"
_SNAPSHOT = "snapshot"
_building = threading.Lock()
_computing = threading.BoundedSemaphore(2)
"""More aggregations at once would take more memory and be ready no sooner."""
_warmed = 0
_last: Snapshot | None = None
"""The snapshot that was asked for last: at hand even where it alone is larger than all that is remembered."""


class _Readers:
    """Who may read which files, in one version of the data."""

    def __init__(self, version: int) -> None:
        self.version = version
        self._limited = SourceFile.groups.through.objects.exists()

    def visible_to(self, who: Principal) -> frozenset[int] | None:
        """The ids of the files that `who` may read; None for all there are."""
        if not FILES.admits(who):
            return frozenset()
        groups = FILES.groups_of(who) if self._limited else None
        if groups is None:
            return None
        _recent[groups] = who
        if len(_recent) > _MOST_RECENT:
            _recent.pop(next(iter(_recent)), None)
        key = (_MEMORY, self.version, "readers", groups)
        visible: frozenset[int] | None = memory.get(key)
        if visible is None:
            visible = frozenset(SourceFile.objects.visible_to(who).values_list("pk", flat=True))
            memory.keep(key, visible, size_of(visible))
        return visible


_readers = lru_cache(maxsize=2)(_Readers)
_MOST_RECENT = 16
_recent: dict[frozenset[int], Principal] = {}
"""Of some sets of groups that limited files were looked up for, somebody who is in them."""


def state(who: Principal | None) -> State:
    """The version of the data as it is now, and which files `who` may read; with None, every file."""
    version = versions.read()
    return version, None if who is None else _readers(version).visible_to(who)


def current(who: Principal | None) -> Snapshot:
    """The snapshot of the data as it is now, for `who`; with None, of every file, for curators.

    Costs one query of one row while the data, and who may read it, stay as they are.
    """
    global _last
    now = state(who)
    last = _last
    if last is None or last.state != now:
        _last = last = memory.get((_MEMORY, *now, _SNAPSHOT)) or _build(*now)
    return last


def _build(version: int, visible: frozenset[int] | None) -> Snapshot:
    # One thread does it, however many need it.
    with _building:
        key = (_MEMORY, version, visible, _SNAPSHOT)
        snapshot: Snapshot | None = memory.get(key)
        if snapshot is None:
            memory.forget(lambda other: other[0] == _MEMORY and other[1] != version)
            snapshot = Snapshot(version, visible)
            memory.keep(key, snapshot, snapshot.size)
        return snapshot


def warm() -> None:
    """Compute what the next callers need of a new version of the data, so that none of them waits for it."""
    global _warmed
    version = versions.read()
    if version != _warmed:
        for who in (None, *_recent.copy().values()):
            current(who)
        _warmed = version


def computed(
    who: Principal | None, key: Hashable, compute: Callable[[Snapshot], Result]
) -> tuple[Result, Snapshot]:
    """What `compute` makes of the data as it is now, for `who`, and the snapshot that it is of.

    Computed once for each `key` while the data stay; anew where they change meanwhile, for rows may be in
    it that came since, of files that `who` may not read.
    """
    while True:
        snapshot = current(who)
        result: Result | None = snapshot.result(key)
        if result is not None:
            return result, snapshot
        with _computing:
            result = snapshot.result(key) or compute(snapshot)
        if state(who) == snapshot.state:
            snapshot.keep(key, result, size_of(result))
            return result, snapshot


def holding(needle: str, values: Iterable[str]) -> frozenset[str]:
    """Those of `values` that hold `needle`, in whatever case."""
    folded = needle.casefold()
    return frozenset(value for value in values if folded in value.casefold())
