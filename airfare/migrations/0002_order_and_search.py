"""What each database needs of its own: order by code point, and trigrams of the notable texts."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

FORWARD = {
    "sqlite": [
        # SQLite orders by code point as it is. The index holds no text (the table beside it does) and
        # no positions: what it finds is compared with the text anyway.
        "CREATE VIRTUAL TABLE airfare_notable_trigrams USING fts5("
        "folded, content='', detail=none, tokenize='trigram case_sensitive 1')",
    ],
    "postgresql": [
        *(
            f'ALTER TABLE airfare_{table} ALTER COLUMN {column} TYPE varchar COLLATE "C"'
            for table, column in [
                ("sourcefile", "name"),
                ("farerow", "snapshot_date"),
                ("farerow", "subject"),
                ("farerow", "route"),
                ("farerow", "origin_airport"),
                ("farerow", "destination_airport"),
                ("farerow", "airline"),
                ("farerow", "season"),
            ]
        ),
        'ALTER TABLE airfare_notabletext ALTER COLUMN folded TYPE text COLLATE "C"',
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        "CREATE INDEX airfare_notable_trigrams ON airfare_notabletext USING gin (folded gin_trgm_ops)",
    ],
}
BACKWARD = {
    "sqlite": ["DROP TABLE airfare_notable_trigrams"],
    "postgresql": ["DROP INDEX airfare_notable_trigrams"],
}


def run(statements: dict[str, list[str]], editor: BaseDatabaseSchemaEditor) -> None:
    for statement in statements[editor.connection.vendor]:
        editor.execute(statement)


def forward(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    run(FORWARD, editor)


def backward(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:  # noqa: ARG001 (Django's signature)
    run(BACKWARD, editor)


class Migration(migrations.Migration):
    dependencies = [("airfare", "0001_initial")]
    operations = [migrations.RunPython(forward, backward)]
