"""The version of the published data: what lets a worker keep what it derived from the rows.

The version is random rather than counted, so that a restored backup or an undone transaction never
brings back a number that a worker remembers with other data. Its row is also the lock that changes of what
is published take one after another.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import secrets

from django.db import connection

from mcpsite.core.postgresql import prepared_cursor

_DATA, _COMBINATIONS = 1, 2
"""The rows of `DataVersion`."""


def read() -> int:
    """The version of the data as this connection sees it; 0 before anything was loaded."""
    return _read(_DATA)


def read_combinations() -> int:
    """Return the version of the combinations that rows have; 0 before there were any."""
    return _read(_COMBINATIONS)


def bump() -> None:
    """Give the data a new version, at the start of the transaction that changes it.

    The row stays locked until that transaction ends, so changes of the data happen one after another.
    """
    _write(_DATA, "excluded.token")


def bump_combinations() -> None:
    """Give the combinations a new version, at the end of what adds or deletes some.

    This has a row of its own, so that a load which adds some does not keep the data from being changed.
    """
    _write(_COMBINATIONS, "excluded.token")


def lock() -> None:
    """Keep the data from being changed until this transaction ends, without giving it a new version."""
    _write(_DATA, "stored.token")


def _read(row: int) -> int:
    with prepared_cursor(connection) as cursor:
        cursor.execute("SELECT token FROM airfare_dataversion WHERE id = %s", [row])
        found = cursor.fetchone()
    return int(found[0]) if found else 0


def _write(row: int, token: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO airfare_dataversion AS stored (id, token) VALUES (%s, %s) "
            f"ON CONFLICT (id) DO UPDATE SET token = {token}",
            [row, secrets.randbits(62) + 1],
        )
