"""What the database's planner knows of the rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from tests.airfare.conftest import Load, fare, table
from tests.site import Site

STATEMENT = (
    "EXPLAIN QUERY PLAN SELECT position FROM airfare_farerow "
    "WHERE NOT hidden AND notable_event_id = 7 AND combination_id = 7 AND snapshot_day = '2025-10-06'"
)
"""Rows with a text, a combination and a day: which index gives fewer of them is not seen by the statement."""


@pytest.fixture
def database(site: Site) -> Iterator[sqlite3.Connection]:
    """The site's database, as one of its workers has it open."""
    path = Path(site.env["STATE_DIR"]) / "db.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, cached_statements=0)) as connection:
        yield connection


def plan(database: sqlite3.Connection) -> str:
    # Only a statement that runs looks whether the schema is still the same.
    database.execute("SELECT count(*) FROM airfare_farerow").fetchone()
    return str(database.execute(STATEMENT).fetchall())


@pytest.mark.skipif(connection.vendor != "sqlite", reason="looks into SQLite")
def test_a_worker_that_runs_already_plans_with_what_a_load_learned(
    site: Site, database: sqlite3.Connection, tmp_path: Path
) -> None:
    database.execute("DELETE FROM sqlite_stat1")
    database.execute("ANALYZE sqlite_schema")
    assert "airfare_farerow_by_combination" in plan(database)
    rows = [fare(note=f"note {n}") for n in range(2_000)]
    (tmp_path / "many_texts.csv").write_text(table(*rows))
    site.manage("load_airfare", str(tmp_path / "many_texts.csv"))
    assert "airfare_farerow_by_prose" in plan(database)
    site.shell(
        "from mcpsite.datasets import loading, models; "
        "source = models.SourceFile.objects.get(name='many_texts.csv'); "
        "loading.remove(source); source.delete()"
    )


@pytest.mark.skipif(connection.vendor != "sqlite", reason="looks into SQLite")
def test_small_loads_are_noticed_together(load_folder: Load) -> None:
    load_folder({f"week_{n:02}.csv": table(*[fare(fare=each) for each in range(1, 11)]) for n in range(20)})
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(CAST(stat AS integer)) FROM sqlite_stat1 WHERE tbl = 'airfare_farerow'")
        (known,) = cursor.fetchone()
    assert known > 200 / 2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="looks into PostgreSQL")
@pytest.mark.django_db(transaction=True)
def test_after_a_load_postgresql_reads_indexes_alone(load_folder: Load) -> None:
    load_folder({"many.csv": table(*[fare(fare=each) for each in range(1, 1_001)])})
    with connection.cursor() as cursor:
        cursor.execute("SELECT relallvisible FROM pg_class WHERE relname = 'airfare_farerow'")
        (visible,) = cursor.fetchone()
    assert visible > 0
