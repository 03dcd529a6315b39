"""The routes, airlines and seasons there are, and how many published rows each combination has.

They are few where rows are many. The counts stand in a table of their own, which is changed in the
transaction that changes the rows; a worker reads them once for each version of the data and answers
from memory which values a filter means and how many rows match.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Count, QuerySet

from access.policies import Who, groups_of
from airfare import versions
from airfare.models import FILES, Combination, FareRow, SourceFile
from airfare.records import airports_of

Result = TypeVar("Result")

KEY = ("source_file_id", "route", "airline", "season")
SUGGESTIONS = 500
"""Values that a field of a page offers; each of them is in the page."""
_KEPT_SNAPSHOTS = 16
_KEPT_RESULTS = 2_000
_KEPT_PAGES = 64


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


class Combined(NamedTuple):
    """A combination and its number of published rows over all visible files."""

    route: str
    origin_airport: str
    destination_airport: str
    airline: str
    season: str
    rows: int


class Snapshot:
    """What one version of the data holds for those who see one set of files (by id; None for all)."""

    def __init__(self, version: int, visible: frozenset[int] | None) -> None:
        self.version = version
        self.visible = visible
        files = SourceFile.objects.published().order_by("name")
        combinations = Combination.objects.all()
        if visible is not None:
            files = files.filter(id__in=visible)
            combinations = combinations.filter(source_file_id__in=visible)
        self.files: list[str] = list(files.values_list("name", flat=True))
        self.file_names = frozenset(self.files)
        totals: Counter[tuple[str, str, str, str, str]] = Counter()
        for *key, rows in combinations.values_list(*Combined._fields):
            totals[tuple(key)] += rows
        self.combinations = [Combined(*key, rows) for key, rows in totals.items()]
        self.total = sum(each.rows for each in self.combinations)
        self._results: dict[Any, Any] = {}
        self.pages: dict[Any, list[dict[str, Any]]] = {}
        """The rows of the pages that were asked for last, which nobody may change."""

    @cached_property
    def routes(self) -> list[str]:
        return self._values("route")

    @cached_property
    def airlines(self) -> list[str]:
        return self._values("airline")

    @cached_property
    def seasons(self) -> list[str]:
        return self._values("season")

    def _values(self, name: str) -> list[str]:
        return sorted({getattr(each, name) for each in self.combinations})

    def keep_page(self, key: Any, rows: list[dict[str, Any]]) -> None:
        """Remember a page for as long as this version lasts: assistants ask the same thing again."""
        if key not in self.pages and len(self.pages) >= _KEPT_PAGES:
            self.pages.pop(next(iter(self.pages)), None)
        self.pages[key] = rows

    def result(self, key: Any) -> Any:
        """What was kept under `key`, or None."""
        return self._results.get(key)

    def keep_result(self, key: Any, result: Any) -> None:
        """Remember what was computed for as long as this version lasts."""
        if len(self._results) >= _KEPT_RESULTS:
            self._results.clear()
        self._results[key] = result


class _Readers:
    """Who may read which files, in one version of the data."""

    def __init__(self, version: int) -> None:
        self.version = version
        self._limited = SourceFile.groups.through.objects.exists()
        self._visible: dict[frozenset[int], frozenset[int]] = {}

    def visible_to(self, who: Who) -> frozenset[int] | None:
        """The ids of the files that `who` may read; None for all there are."""
        if not who.has_perm(FILES.permission):
            return frozenset()
        if who.is_superuser or not self._limited:
            return None
        groups = groups_of(who)
        visible = self._visible.get(groups)
        if visible is None:
            visible = frozenset(SourceFile.objects.visible_to(who).values_list("pk", flat=True))
            if len(self._visible) >= _KEPT_RESULTS:
                self._visible.clear()
            self._visible[groups] = visible
        return visible


_readers = lru_cache(maxsize=2)(_Readers)
_snapshots: dict[tuple[int, frozenset[int] | None], Snapshot] = {}


def current(who: Who | None) -> Snapshot:
    """The snapshot of the data as it is now, for `who`; with None, of every file, for curators.

    Costs one query of one row while the data, and who may read it, stay as they are.
    """
    version = versions.read()
    key = (version, None if who is None else _readers(version).visible_to(who))
    snapshot = _snapshots.get(key)
    if snapshot is None:
        snapshot = Snapshot(*key)
        for old in list(_snapshots)[: max(0, len(_snapshots) - _KEPT_SNAPSHOTS + 1)]:
            _snapshots.pop(old, None)
        _snapshots[key] = snapshot
    return snapshot


def computed(who: Who | None, key: Any, compute: Callable[[Snapshot], Result]) -> tuple[Result, Snapshot]:
    """What `compute` makes of the data as it is now, for `who`, and the snapshot that it is of.

    Computed once for each `key` while the data stay; anew where they change meanwhile, for rows may be in
    it that came since, of files that `who` may not read.
    """
    while True:
        snapshot = current(who)
        result: Result | None = snapshot.result(key)
        if result is not None:
            return result, snapshot
        result = compute(snapshot)
        if current(who) is snapshot:
            snapshot.keep_result(key, result)
            return result, snapshot


def holding(needle: str, values: Iterable[str]) -> frozenset[str]:
    """Those of `values` that hold `needle`, in whatever case."""
    folded = needle.casefold()
    return frozenset(value for value in values if folded in value.casefold())
