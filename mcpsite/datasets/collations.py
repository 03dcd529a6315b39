"""Order by code point on PostgreSQL, as on SQLite: answers have one order on both, and indexes can be used.

A migration sees a column as Django's plain field, which has the database's own collation; so the column is
changed after each `migrate` if it has another one.
"""

from typing import Any

from django.apps import AppConfig
from django.db import connections, models

from mcpsite.datasets.declaration import data_sets
from mcpsite.datasets.models import Row


def order_by_code_point(sender: AppConfig, *, using: str, **_: Any) -> None:
    """Sort the texts of the app's data sets by their code points (signal `post_migrate`)."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    tables = {
        each.model._meta.db_table: [
            str(field.column)
            for field in each.model._meta.concrete_fields
            if isinstance(field, models.CharField)
        ]
        for each in data_sets()
        if each.model._meta.app_label == sender.label and issubclass(each.model, Row)
    }
    with connection.cursor() as cursor:
        for table, texts in tables.items():
            cursor.execute(
                "SELECT attname FROM pg_attribute JOIN pg_collation c ON c.oid = attcollation "
                "WHERE attrelid = to_regclass(%s) AND attname = ANY(%s) AND collname <> 'C'",
                [f'"{table}"', texts],
            )
            changed = [f'ALTER COLUMN "{name}" TYPE varchar COLLATE "C"' for (name,) in cursor.fetchall()]
            if changed:
                cursor.execute(f'ALTER TABLE "{table}" {", ".join(changed)}')
