"""Many rows of the shared tables in one statement: stored, or found by their digests."""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection


def insert(table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], conflict: str) -> None:
    """Insert rows with these `columns`: their names, and their types on PostgreSQL.

    `conflict` is the clause ON CONFLICT, in which the row that is there is called `stored`.
    """
    names = ", ".join(f'"{name}"' for name in columns)
    into = f"INSERT INTO {table} AS stored ({names})"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"{into} VALUES ({places}) {conflict}", rows)
            return
        # The driver's executemany is a statement for each row.
        texts = ", ".join(f'"{name}" text' for name in columns)
        values = ", ".join(f'"{name}"::{type_}' for name, type_ in columns.items())
        cursor.execute(
            f"{into} SELECT {values} FROM json_to_recordset(%s) AS given ({texts}) {conflict}",
            [json.dumps([dict(zip(columns, row, strict=True)) for row in rows])],
        )


def find(table: str, digests: Sequence[str]) -> dict[str, int]:
    """Return the ids of those rows that are stored, by their digests in hexadecimal."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            listed = "IN (SELECT value FROM json_each(%s))"
            cursor.execute(f"SELECT digest, id FROM {table} WHERE digest {listed}", [json.dumps(digests)])
            return dict(cursor.fetchall())
        # As a text, because the driver looks for special characters in each item of a list.
        array = f"{{{','.join(digests)}}}"
        cursor.execute(f"SELECT digest, id FROM {table} WHERE digest = ANY(%s::uuid[])", [array])
        return {digest.hex: number for digest, number in cursor.fetchall()}
