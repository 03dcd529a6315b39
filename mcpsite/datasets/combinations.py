"""The combinations of the categories' values, and how many published rows of each load have them."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min, QuerySet, Value

from mcpsite.datasets import bulk, versions
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.refusals import RefusedFile

Key = tuple[str, ...]
"""The values of all categories, in the order of the declaration."""

BATCH = 1_000
MANY = 50_000
"""The number of combinations of a data set from which an operator is warned."""
MOST = 250_000
"""More are refused: each worker holds them all in memory."""
_encode = json.JSONEncoder(ensure_ascii=False).encode


class Ids:
    """The ids of combinations, made for new ones by any number of processes at once."""

    def __init__(self, data_set: DataSet) -> None:
        self._data_set = data_set
        self._ids: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def of(self, keys: Sequence[Key]) -> list[int]:
        """Return the id of each of `keys`. Raises RefusedFile if there are too many."""
        added = False
        digests = {self._digest(key): key for key in set(keys) - self._ids.keys()}
        # In their order, so that no two processes wait for each other.
        for batch in _batches(sorted(digests)):
            self._find(batch, digests)
            if new := [digest for digest in batch if digests[digest] not in self._ids]:
                self._insert(new, digests)
                self._find(new, digests)
                added = True
        if added:
            self._demand_few()
            versions.bump_combinations(self._data_set)
        return list(map(self._ids.__getitem__, keys))

    def _digest(self, key: Key) -> str:
        said = _encode([self._data_set.label, self._values(key)])
        return blake2b(said.encode(), digest_size=16).hexdigest()

    def _values(self, key: Key) -> dict[str, str]:
        names = self._data_set.categories
        return {name: value for name, value in zip(names, key, strict=True) if value}

    def _find(self, digests: Sequence[str], keys: dict[str, Key]) -> None:
        """Remember the ids of those of `digests` that are stored."""
        found = bulk.find("datasets_combination", digests)
        self._ids |= {keys[digest]: number for digest, number in found.items()}

    def _insert(self, digests: Sequence[str], keys: dict[str, Key]) -> None:
        label = self._data_set.label
        bulk.insert(
            "datasets_combination",
            {"data_set": "text", "digest": "uuid", "values": "jsonb"},
            [(label, digest, json.dumps(self._values(keys[digest]))) for digest in digests],
            "ON CONFLICT (digest) DO NOTHING",
        )

    def _demand_few(self) -> None:
        if len(self._ids) <= MOST:
            return
        columns = ", ".join(map(self._data_set.words_of, self._data_set.categories))
        raise RefusedFile(
            f"has more than {MOST:,} combinations of {columns}; declare a column with very many values as "
            "Prose or Text, which have no such limit"
        )


def forget_unused(data_set: DataSet) -> None:
    """Delete the combinations without rows, so that nothing is left of removed data.

    Under `versions.lock`, while no load is being written.
    """
    with connection.cursor() as cursor:
        # Those of hidden rows are counted, too, with 0 published rows.
        cursor.execute(
            "DELETE FROM datasets_combination WHERE data_set = %s "
            "AND id NOT IN (SELECT combination_id FROM datasets_combinationcount)",
            [data_set.label],
        )
        if cursor.rowcount:
            versions.bump_combinations(data_set)


class Counts:
    """Numbers of published rows, also negative, by load and combination, with first and last days."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], tuple[int, str, str]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def combinations(self) -> set[int]:
        """The combinations of these counts."""
        return {combination for _, combination in self._counts}

    def add(self, load: int, combination: int, rows: int, first: str, last: str) -> None:
        """Add `rows` to the count; days are written YYYY-MM-DD. Hidden rows count as 0."""
        known = self._counts.get((load, combination))
        if known:
            rows, first, last = known[0] + rows, min(known[1], first), max(known[2], last)
        self._counts[load, combination] = rows, first, last

    def add_each(
        self, load: int, combinations: Sequence[int], days: Sequence[str], hidden: Sequence[bool]
    ) -> None:
        """Count rows by their combinations and days, hidden ones as 0."""
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

    def add_rows(self, data_set: DataSet, rows: QuerySet[Any], sign: int = 1) -> None:
        """Have the database count `rows`."""
        day: Any = data_set.day or Value(str(NO_DAY))
        groups = rows.order_by().values_list("load_id", "combination_id")
        counted = groups.annotate(Count("id"), first=Min(day), last=Max(day))
        for load, combination, number, first, last in counted.iterator(chunk_size=5_000):
            self.add(load, combination, sign * number, str(first), str(last))

    def store(self) -> None:
        """Add these counts to the stored ones, and begin anew."""
        counts = [(*key, *counted) for key, counted in self._counts.items()]
        self._counts.clear()
        _store(counts)

    def pieces(self, size: int = 5_000) -> Iterator[Callable[[], None]]:
        """Begin anew, and yield a function for each piece of these counts that stores it."""
        counts = iter([(*key, *counted) for key, counted in self._counts.items()])
        self._counts.clear()
        while piece := list(islice(counts, size)):
            yield partial(_store, piece)


def _store(counts: list[tuple[int, int, int, str, str]]) -> None:
    if not counts:
        return
    columns = {
        "load_id": "bigint",
        "combination_id": "bigint",
        "rows": "integer",
        "first_day": "date",
        "last_day": "date",
    }
    bulk.insert(
        "datasets_combinationcount",
        columns,
        counts,
        "ON CONFLICT (load_id, combination_id) DO UPDATE SET "
        "rows = stored.rows + excluded.rows, "
        f"first_day = {_LEAST}(stored.first_day, excluded.first_day), "
        f"last_day = {_GREATEST}(stored.last_day, excluded.last_day)",
    )


_LEAST, _GREATEST = ("min", "max") if connection.vendor == "sqlite" else ("least", "greatest")


def _batches(digests: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(digests)
    while batch := list(islice(rest, BATCH)):
        yield batch
