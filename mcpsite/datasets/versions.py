"""The version of a data set, which lets a worker keep what it computed from the rows.

Versions are random rather than counted, so that a restored backup or an undone transaction never brings back
a number that a worker remembers with other data. The row with them is also the lock for changes of what is
published; each data set has its own.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.db import connection

from mcpsite.core.postgresql import prepared_rows
from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.datasets.models import CountsChange

_ROWS, _COMBINATIONS = "rows", "combinations"
"""`DataVersion.what`."""
MOST_COMBINATIONS = 1_000
"""Of a change that is recorded; after a larger one, all is read again."""
CHANGES = 50
"""How many changes are recorded; a worker that missed more reads all again."""


class Version(NamedTuple):
    """What the data are at a time."""

    rows: int
    """Changes with anything in them."""
    counts: int
    """Changes if rows come, go or move: if their combinations, days or texts change."""


def read(data_set: DataSet) -> Version:
    """Return the version of the data as this connection sees it; zeros before anything was loaded."""
    return _read(data_set, _ROWS)


def read_combinations(data_set: DataSet) -> int:
    """Return the version of the combinations that rows have; 0 before there were any."""
    return _read(data_set, _COMBINATIONS).rows


def bump(data_set: DataSet, *, counts: bool = True) -> None:
    """Give the data a new version, at the start of the transaction that changes it.

    The row stays locked until that transaction ends, so changes of the data happen one after another. Without
    `counts`, rows keep their combinations, days and texts.
    """
    _write(data_set, _ROWS, "excluded.rows", "excluded.counts" if counts else "stored.counts")


@contextmanager
def changing(data_set: DataSet) -> Iterator[set[int]]:
    """Give the data a new version, in a transaction that begins, and record what it changes at its end.

    The yielded set collects the combinations of rows that come, go or move: a worker with the counts of the
    previous version reads only these again.
    """
    bump(data_set, counts=False)
    combinations: set[int] = set()
    yield combinations
    if combinations:
        before = read(data_set).counts
        bump(data_set)
        if len(combinations) <= MOST_COMBINATIONS:
            changes = CountsChange.objects.filter(data_set=data_set.label)
            changes.create(
                data_set=data_set.label,
                before=before,
                after=read(data_set).counts,
                combinations=sorted(combinations),
            )
            kept = changes.order_by("-pk").values("pk")[:CHANGES]
            changes.exclude(pk__in=list(kept.values_list("pk", flat=True))).delete()


def changed_between(data_set: DataSet, before: int, after: int) -> set[int] | None:
    """Return the combinations with other counts in the version `after`; None if they are not known."""
    if before == after:
        return set()
    combinations: set[int] = set()
    changes = {change.before: change for change in CountsChange.objects.filter(data_set=data_set.label)}
    while before != after:
        change = changes.pop(before, None)
        if change is None:
            return None
        combinations.update(change.combinations)
        before = change.after
    return combinations


def bump_combinations(data_set: DataSet) -> None:
    """Give the combinations a new version, at the end of a transaction that adds or deletes some.

    It has its own row, because a load that adds some must not block changes of the data.
    """
    _write(data_set, _COMBINATIONS, "excluded.rows", "excluded.counts")


def lock(*chosen: DataSet) -> None:
    """Keep these data sets, by default all, from being changed until this transaction ends.

    None of them gets a new version.
    """
    # In their order, so that no two transactions wait for each other.
    for data_set in sorted(chosen or data_sets(), key=lambda each: each.label):
        _write(data_set, _ROWS, "stored.rows", "stored.counts")


def _read(data_set: DataSet, what: str) -> Version:
    statement = "SELECT rows, counts FROM datasets_dataversion WHERE data_set = %s AND what = %s"
    found = prepared_rows(connection, statement, [data_set.label, what])
    return Version(*found[0]) if found else Version(0, 0)


def _write(data_set: DataSet, what: str, rows: str, counts: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO datasets_dataversion AS stored (data_set, what, rows, counts) "
            "VALUES (%s, %s, %s, %s) ON CONFLICT (data_set, what) "
            f"DO UPDATE SET rows = {rows}, counts = {counts}",
            [data_set.label, what, secrets.randbits(62) + 1, secrets.randbits(62) + 1],
        )
