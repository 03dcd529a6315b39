"""The combinations of route, airline and season, and how many published rows of each file have them.

Both are written in the transaction that changes the rows, under the lock of `versions.bump`.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from django.db import connection
from django.db.models import Count, Max, Min, QuerySet

from airfare.models import Combination, CombinationCount, DataVersion, FareRow
from airfare.records import airports_of

Key = tuple[str, str, str]
"""Route, airline and season."""

BATCH = 1_000


class Ids:
    """The ids of combinations, made for new ones."""

    def __init__(self) -> None:
        self._ids: dict[Key, int] = {}

    def of(self, keys: Sequence[Key]) -> list[int]:
        """Return the id of each of `keys`."""
        unknown = [key for key in dict.fromkeys(keys) if key not in self._ids]
        for batch in _batches(unknown):
            self._ids.update(_find(batch))
            if new := [key for key in batch if key not in self._ids]:
                self._ids.update(_insert(new))
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


def _insert(keys: Sequence[Key]) -> Iterator[tuple[Key, int]]:
    combinations = []
    for route, airline, season in keys:
        origin, destination = airports_of(route)
        combinations.append(
            Combination(
                route=route,
                origin_airport=origin,
                destination_airport=destination,
                airline=airline,
                season=season,
            )
        )
    Combination.objects.bulk_create(combinations)
    _changed()
    return ((key, each.pk) for key, each in zip(keys, combinations, strict=True))


def forget_unused() -> None:
    """Delete the combinations that no row has, so that what was taken out of the data is gone."""
    with connection.cursor() as cursor:
        # Whatever is published is counted.
        cursor.execute(
            "DELETE FROM airfare_combination "
            "WHERE id NOT IN (SELECT combination_id FROM airfare_combinationcount) "
            "AND id NOT IN (SELECT combination_id FROM airfare_farerow WHERE hidden)"
        )
        if cursor.rowcount:
            _changed()


def _changed() -> None:
    DataVersion.objects.update(combinations=secrets.randbits(62) + 1)


class Counts:
    """Numbers of rows, negative ones too, by file and combination, with their first and last days."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], tuple[int, str, str]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, file: int, combination: int, rows: int, first: str, last: str) -> None:
        """Count `rows` more; days are written YYYY-MM-DD."""
        known = self._counts.get((file, combination))
        if known:
            rows, first, last = known[0] + rows, min(known[1], first), max(known[2], last)
        self._counts[file, combination] = rows, first, last

    def add_rows(self, rows: QuerySet[FareRow], sign: int = 1) -> None:
        """Count `rows`, which the database does."""
        groups = rows.order_by().values_list("source_file_id", "combination_id")
        counted = groups.annotate(Count("id"), Min("snapshot_day"), Max("snapshot_day"))
        for file, combination, number, first, last in counted.iterator(chunk_size=5_000):
            self.add(file, combination, sign * number, str(first), str(last))

    def store(self) -> None:
        """Add these counts to those that are stored, and begin anew."""
        counts = [(*key, *counted) for key, counted in self._counts.items()]
        if not counts:
            return
        self._counts.clear()
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO airfare_combinationcount AS stored "
                "(source_file_id, combination_id, rows, first_day, last_day) VALUES (%s, %s, %s, %s, %s) "
                "ON CONFLICT (source_file_id, combination_id) DO UPDATE SET "
                "rows = stored.rows + excluded.rows, "
                f"first_day = {_LEAST}(stored.first_day, excluded.first_day), "
                f"last_day = {_GREATEST}(stored.last_day, excluded.last_day)",
                counts,
            )
            cursor.executemany(
                "DELETE FROM airfare_combinationcount "
                "WHERE source_file_id = %s AND combination_id = %s AND rows = 0",
                [(file, combination) for file, combination, rows, *_ in counts if rows <= 0],
            )


_LEAST, _GREATEST = ("min", "max") if connection.vendor == "sqlite" else ("least", "greatest")


def forget_counts(source_file_id: int) -> None:
    """Drop the counts of a file."""
    CombinationCount.objects.filter(source_file_id=source_file_id).delete()


def _batches(keys: Iterable[Key]) -> Iterator[list[Key]]:
    rest = iter(keys)
    while batch := list(islice(rest, BATCH)):
        yield batch
