"""The combinations of route, airline and season, and how many published rows of each load have them."""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice

from django.db import connection
from django.db.models import Count, Max, Min, QuerySet

from airfare import versions
from airfare.models import Combination, FareRow
from airfare.records import airports_of

Key = tuple[str, str, str]
"""Route, airline and season."""

BATCH = 1_000


class Ids:
    """The ids of combinations, made for new ones, by as many processes at once as there may be."""

    def __init__(self) -> None:
        self._ids: dict[Key, int] = {}

    def of(self, keys: Sequence[Key]) -> list[int]:
        """Return the id of each of `keys`."""
        added = False
        # In their order, so that no two processes wait for each other.
        for batch in _batches(sorted(set(keys) - self._ids.keys())):
            self._ids.update(_find(batch))
            if new := [key for key in batch if key not in self._ids]:
                _insert(new)
                self._ids.update(_find(new))
                added = True
        if added:
            versions.bump_combinations()
        return list(map(self._ids.__getitem__, keys))


def _find(keys: Sequence[Key]) -> Iterator[tuple[Key, int]]:
    """Yield those of `keys` that are stored, with their ids."""
    places = ", ".join(["(%s, %s, %s)"] * len(keys))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT route, airline, season, id FROM airfare_combination "
            f"WHERE (route, airline, season) IN (VALUES {places})",
            list(chain.from_iterable(keys)),
        )
        for route, airline, season, number in cursor.fetchall():
            yield (route, airline, season), number


def _insert(keys: Sequence[Key]) -> None:
    Combination.objects.bulk_create(
        [
            Combination(
                route=route,
                origin_airport=airports_of(route)[0],
                destination_airport=airports_of(route)[1],
                airline=airline,
                season=season,
            )
            for route, airline, season in keys
        ],
        ignore_conflicts=True,
    )


def forget_unused() -> None:
    """Delete the combinations that no row has, so that what was taken out of the data is gone.

    Under `versions.lock`, while no load is being written.
    """
    with connection.cursor() as cursor:
        # Those of hidden rows are counted, too, with 0 published rows.
        cursor.execute(
            "DELETE FROM airfare_combination "
            "WHERE id NOT IN (SELECT combination_id FROM airfare_combinationcount)"
        )
        if cursor.rowcount:
            versions.bump_combinations()


class Counts:
    """Numbers of published rows, negative ones too, by load and combination, with first and last days."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], tuple[int, str, str]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def combinations(self) -> set[int]:
        """The combinations of these counts."""
        return {combination for _, combination in self._counts}

    def add(self, load: int, combination: int, rows: int, first: str, last: str) -> None:
        """Count `rows` more; days are written YYYY-MM-DD. Rows that are hidden count 0."""
        known = self._counts.get((load, combination))
        if known:
            rows, first, last = known[0] + rows, min(known[1], first), max(known[2], last)
        self._counts[load, combination] = rows, first, last

    def add_each(
        self, load: int, combinations: Sequence[int], days: Sequence[str], hidden: Sequence[bool]
    ) -> None:
        """Count rows by their combinations and days, those that are hidden as 0."""
        counts = self._counts
        for combination, day, is_hidden in zip(combinations, days, hidden, strict=True):
            rows = 0 if is_hidden else 1
            known = counts.get((load, combination))
            if known is None:
                counts[load, combination] = rows, day, day
            else:
                number, first, last = known
                counts[load, combination] = (
                    number + rows,
                    day if day < first else first,
                    day if day > last else last,
                )

    def add_rows(self, rows: QuerySet[FareRow], sign: int = 1) -> None:
        """Count `rows`, which the database does."""
        groups = rows.order_by().values_list("load_id", "combination_id")
        counted = groups.annotate(Count("id"), Min("snapshot_day"), Max("snapshot_day"))
        for load, combination, number, first, last in counted.iterator(chunk_size=5_000):
            self.add(load, combination, sign * number, str(first), str(last))

    def store(self) -> None:
        """Add these counts to those that are stored, and begin anew."""
        counts = [(*key, *counted) for key, counted in self._counts.items()]
        self._counts.clear()
        _store(counts)

    def pieces(self, size: int = 5_000) -> Iterator[Callable[[], None]]:
        """Begin anew, and yield for each piece of these counts what stores it."""
        counts = iter([(*key, *counted) for key, counted in self._counts.items()])
        self._counts.clear()
        while piece := list(islice(counts, size)):
            yield partial(_store, piece)


def _store(counts: list[tuple[int, int, int, str, str]]) -> None:
    if not counts:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO airfare_combinationcount AS stored "
            "(load_id, combination_id, rows, first_day, last_day) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (load_id, combination_id) DO UPDATE SET "
            "rows = stored.rows + excluded.rows, "
            f"first_day = {_LEAST}(stored.first_day, excluded.first_day), "
            f"last_day = {_GREATEST}(stored.last_day, excluded.last_day)",
            counts,
        )


_LEAST, _GREATEST = ("min", "max") if connection.vendor == "sqlite" else ("least", "greatest")


def _batches(keys: Iterable[Key]) -> Iterator[list[Key]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH)):
        yield batch
