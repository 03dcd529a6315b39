"""Writes the rows of a load, in transactions for which nobody has to wait.

Rows are read and computed, and new texts and combinations stored, outside of the transaction that stores the
rows. Between two transactions the load rests if others had to share a processor with it.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, cast

from django.db import connection, transaction

from mcpsite.core.background import Rests
from mcpsite.datasets import loads
from mcpsite.datasets.combinations import Counts, Ids
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.edits import Overlay
from mcpsite.datasets.keys import Keys
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.models import Load
from mcpsite.datasets.rows import Rows
from mcpsite.datasets.texts import Texts

ROWS = 5_000
"""Rows of one transaction."""
TEXTS = 1_000
"""New texts of one transaction, whose words are indexed."""
COUNTS = 50_000
"""Counts in memory at once."""


def write(data_set: DataSet, load: Load, rows: Iterable[Rows], overlay: Overlay) -> int:
    """Write what is read of a file, with the edits of `overlay` applied. Raises Lost, RefusedFile.

    Returns how many combinations of categories it has.
    """
    keys, texts, ids, counts = Keys(data_set, load.name), Texts(data_set), Ids(data_set), Counts()
    if connection.vendor == "sqlite":
        # A transaction changes about as many pages of the indexes as this; so none is written twice.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA cache_size = -32000")
    rests = Rests()
    for piece in (piece for each in rows for piece in each.pieces(ROWS)):
        rests.take()
        keys_of_piece = keys.of(piece.columns)
        laid = overlay.over(piece, keys_of_piece)
        for name in data_set.proses:
            new = texts.unknown(laid.columns[name])
            for start in range(0, len(new), TEXTS):
                texts.numbers(new[start : start + TEXTS])
        with transaction.atomic():
            loads.alive(load)
            combinations = ids.of(_combined(data_set, laid.columns, piece.size))
            stored: dict[str, Iterable[Any]] = {
                "load": repeat(load.pk),
                "vanished": repeat(False),
                "position": laid.columns["position"],
                "key": keys_of_piece,
                "combination": combinations,
                "hidden": laid.hidden,
                "file_values": laid.file_values,
                **{name: laid.columns[name] for name in data_set.stored},
                **{name: texts.numbers(laid.columns[name]) for name in data_set.proses},
            }
            _insert(data_set, load, stored)
        days = laid.columns[data_set.day] if data_set.day else [str(NO_DAY)] * piece.size
        counts.add_each(load.pk, combinations, days, laid.hidden)
        if len(counts) > COUNTS:
            _store(counts, load)
    _store(counts, load)
    return len(ids)


def _combined(data_set: DataSet, columns: Mapping[str, Sequence[Any]], size: int) -> list[tuple[str, ...]]:
    """Return the combination of each row."""
    if not data_set.categories:
        return [()] * size
    return list(zip(*(columns[name] for name in data_set.categories), strict=True))


def _insert(data_set: DataSet, load: Load, columns: Mapping[str, Iterable[Any]]) -> None:
    rows = zip(*columns.values(), strict=False)
    names = ", ".join(map(data_set.column, columns))
    with connection.cursor() as cursor:
        before = _last_id(data_set, cursor)
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {data_set.sql} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            # The drivers accept any iterable, and a list would be a copy.
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {data_set.sql} ({names}) VALUES ({places})", cast(Any, rows))
        load.extend(load.first_id or _first_id(data_set, load, before, cursor), _last_id(data_set, cursor))


def _first_id(data_set: DataSet, load: Load, before: int, cursor: Any) -> int:
    """Return the first id of a load: a sequence leaves numbers out, and another load may be writing, too."""
    cursor.execute(f"SELECT min(id) FROM {data_set.sql} WHERE id > %s AND load_id = %s", [before, load.pk])
    return cursor.fetchone()[0] or before + 1


def _last_id(data_set: DataSet, cursor: Any) -> int:
    cursor.execute(f"SELECT coalesce(max(id), 0) FROM {data_set.sql}")
    return int(cursor.fetchone()[0])


def _store(counts: Counts, load: Load) -> None:
    for store in counts.pieces():
        with transaction.atomic():
            loads.alive(load)
            store()
