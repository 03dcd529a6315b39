"""The version of the published data: what lets a worker keep what it derived from the rows.

Versions are random rather than counted, so that a restored backup or an undone transaction never brings back
a number that a worker remembers with other data. The row that holds them is also the lock that changes of
what is published take one after another.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.db import connection

from airfare.models import CountsChange
from mcpsite.core.postgresql import prepared_cursor

_DATA, _COMBINATIONS = 1, 2
"""The rows of `DataVersion`."""
MOST_COMBINATIONS = 1_000
"""Of a change that is told; after a larger one, all is read anew."""
CHANGES = 50
"""How many changes are told of; who missed more reads all anew."""


class Version(NamedTuple):
    """What the data are at a time."""

    rows: int
    """Another number when anything in them changes."""
    counts: int
    """Another number when rows come, go or move: when their combinations, days or texts change."""


def read() -> Version:
    """The version of the data as this connection sees it; zeros before anything was loaded."""
    return _read(_DATA)


def read_combinations() -> int:
    """Return the version of the combinations that rows have; 0 before there were any."""
    return _read(_COMBINATIONS).rows


def bump(*, counts: bool = True) -> None:
    """Give the data a new version, at the start of the transaction that changes it.

    The row stays locked until that transaction ends, so changes of the data happen one after another. Without
    `counts`, rows stay where they are.
    """
    _write(_DATA, "excluded.rows", "excluded.counts" if counts else "stored.counts")


@contextmanager
def changing() -> Iterator[set[int]]:
    """Give the data a new version, in a transaction that begins, and tell what it changes when it is over.

    The set that this yields takes the combinations of rows that come, go or move: who holds the counts of the
    version before reads anew no others.
    """
    bump(counts=False)
    combinations: set[int] = set()
    yield combinations
    if combinations:
        before = read().counts
        bump()
        if len(combinations) <= MOST_COMBINATIONS:
            change = CountsChange.objects.create(
                before=before, after=read().counts, combinations=sorted(combinations)
            )
            CountsChange.objects.filter(pk__lte=change.pk - CHANGES).delete()


def changed_between(before: int, after: int) -> set[int] | None:
    """Return the combinations that have other counts in the version `after`; None where it is not known."""
    if before == after:
        return set()
    combinations: set[int] = set()
    changes = {change.before: change for change in CountsChange.objects.all()}
    while before != after:
        change = changes.pop(before, None)
        if change is None:
            return None
        combinations.update(change.combinations)
        before = change.after
    return combinations


def bump_combinations() -> None:
    """Give the combinations a new version, at the end of what adds or deletes some.

    This has a row of its own, so that a load which adds some does not keep the data from being changed.
    """
    _write(_COMBINATIONS, "excluded.rows", "excluded.counts")


def lock() -> None:
    """Keep the data from being changed until this transaction ends, without giving it a new version."""
    _write(_DATA, "stored.rows", "stored.counts")


def _read(row: int) -> Version:
    with prepared_cursor(connection) as cursor:
        cursor.execute("SELECT rows, counts FROM airfare_dataversion WHERE id = %s", [row])
        found = cursor.fetchone()
    return Version(*found) if found else Version(0, 0)


def _write(row: int, rows: str, counts: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO airfare_dataversion AS stored (id, rows, counts) VALUES (%s, %s, %s) "
            f"ON CONFLICT (id) DO UPDATE SET rows = {rows}, counts = {counts}",
            [row, secrets.randbits(62) + 1, secrets.randbits(62) + 1],
        )
