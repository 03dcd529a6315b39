"""The version of the published data: what lets a worker keep what it derived from the rows.

The version is random rather than counted, so that a restored backup or an undone transaction never
brings back a number that a worker remembers with other data.
"""

import secrets

from django.db import connection

from airfare.models import DataVersion

_ONLY_ROW = 1


def read() -> int:
    """The version of the data as this connection sees it; 0 before anything was loaded."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM airfare_dataversion WHERE id = 1")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def read_combinations() -> int:
    """Return the version of the combinations that rows have; 0 before anything was loaded."""
    return DataVersion.objects.values_list("combinations", flat=True).first() or 0


def bump() -> None:
    """Give the data a new version, at the start of the transaction that changes it.

    The row stays locked until that transaction ends, so changes of the data happen one after another.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO airfare_dataversion (id, token, combinations) VALUES (%s, %s, 0) "
            "ON CONFLICT (id) DO UPDATE SET token = excluded.token",
            [_ONLY_ROW, secrets.randbits(62) + 1],
        )
