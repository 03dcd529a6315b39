"""Writes the rows of a load, in transactions that nobody has to wait for.

What is read and computed of rows, and the texts and combinations that are new, is outside of the transaction
that stores them.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, cast

from django.db import connection, transaction

from airfare import loads
from airfare.combinations import Counts, Ids
from airfare.edits import Overlay
from airfare.keys import Keys
from airfare.models import Load
from airfare.notables import Texts
from airfare.records import SOURCE_FIELDS, Records

ROWS = 5_000
"""Of one transaction."""
TEXTS = 1_000
"""New texts of one transaction: their words are indexed."""
COUNTS = 50_000
"""In memory at once."""

_INSERTED = (
    *("load_id", "vanished", *SOURCE_FIELDS, "key"),
    *("combination_id", "notable_id", "hidden", "file_values"),
)
_COMBINED = [SOURCE_FIELDS.index(name) for name in ("route", "airline", "season")]
_DAY = SOURCE_FIELDS.index("snapshot_day")


def write(load: Load, records: Iterable[Records], overlay: Overlay) -> None:
    """Write what is read of a file, with the edits of `overlay` laid over it. Raises Lost."""
    keys, texts, ids, counts = Keys(load.name), Texts(), Ids(), Counts()
    if connection.vendor == "sqlite":
        # The pages of the indexes that a transaction changes are as many as this; none is written twice.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA cache_size = -32000")
    for piece in _pieces(records):
        keys_of_piece = keys.of(piece.columns)
        laid = overlay.over(piece, keys_of_piece)
        new = texts.unknown(laid.notables)
        for start in range(0, len(new), TEXTS):
            texts.numbers(new[start : start + TEXTS])
        with transaction.atomic():
            loads.alive(load)
            combinations = ids.of(list(zip(*(laid.columns[place] for place in _COMBINED), strict=True)))
            numbers = texts.numbers(laid.notables)
            columns: list[Sequence[Any]] = [
                keys_of_piece,
                combinations,
                numbers,
                laid.hidden,
                laid.file_values,
            ]
            _insert(load, [*laid.columns, *columns])
        counts.add_each(load.pk, combinations, laid.columns[_DAY], laid.hidden)
        if len(counts) > COUNTS:
            _store(counts, load)
    _store(counts, load)


def _pieces(records: Iterable[Records]) -> Iterator[Records]:
    for each in records:
        for start in range(0, len(each.notables), ROWS):
            part = slice(start, start + ROWS)
            yield Records(columns=[column[part] for column in each.columns], notables=each.notables[part])


def _insert(load: Load, columns: Sequence[Sequence[Any]]) -> None:
    rows = zip(repeat(load.pk), repeat(False), *columns, strict=False)
    names = ", ".join(_INSERTED)
    with connection.cursor() as cursor:
        before = _last_id(cursor)
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY airfare_farerow ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            # The drivers take any iterable, and a list would be a copy.
            places = ", ".join(["%s"] * len(_INSERTED))
            cursor.executemany(f"INSERT INTO airfare_farerow ({names}) VALUES ({places})", cast(Any, rows))
        load.extend(before + 1, _last_id(cursor))


def _last_id(cursor: Any) -> int:
    cursor.execute("SELECT coalesce(max(id), 0) FROM airfare_farerow")
    return int(cursor.fetchone()[0])


def _store(counts: Counts, load: Load) -> None:
    for store in counts.pieces():
        with transaction.atomic():
            loads.alive(load)
            store()
