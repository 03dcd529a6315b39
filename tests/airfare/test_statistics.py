"""What SQLite's planner knows, in a database that a server has open."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.airfare.conftest import fare, table
from tests.site import Site

pytestmark = pytest.mark.skipif(
    os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="looks into SQLite"
)

PART = (
    "EXPLAIN QUERY PLAN SELECT r.id FROM airfare_farerow r WHERE r.route = 'A0-B0' AND NOT r.hidden "
    "AND r.airline = 'Line 3' ORDER BY r.snapshot_day DESC, r.airline DESC, "
    "(SELECT name FROM airfare_sourcefile WHERE id = r.source_file_id), r.position, r.id LIMIT 25"
)
"""The rows of one route and one airline, as an answer of several routes reads each of them."""


@pytest.fixture
def database(site: Site) -> Iterator[sqlite3.Connection]:
    """The site's database, as one of its workers has it open."""
    path = Path(site.env["STATE_DIR"]) / "db.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None, cached_statements=0)) as connection:
        yield connection


def plan(database: sqlite3.Connection) -> str:
    # Only a statement that runs looks whether the schema is still the same.
    database.execute("SELECT count(*) FROM airfare_farerow").fetchone()
    return str(database.execute(PART).fetchall())


def test_a_worker_that_runs_already_plans_with_what_a_load_learned(
    site: Site, database: sqlite3.Connection, tmp_path: Path
) -> None:
    database.execute("DELETE FROM sqlite_stat1")
    database.execute("ANALYZE sqlite_schema")
    assert "airfare_by_airline" in plan(database)
    rows = [fare(route=f"A{route}-B{route}", airline=f"Line {n}") for route in range(200) for n in range(10)]
    (tmp_path / "many_routes.csv").write_text(table(*rows))
    site.manage("load_airfare", str(tmp_path / "many_routes.csv"))
    assert "airfare_by_route" in plan(database)
    site.shell(
        "from airfare import loading, models; "
        "source = models.SourceFile.objects.get(name='many_routes.csv'); "
        "loading.remove(source); source.delete()"
    )


def test_migrating_makes_the_statistics_of_a_database_that_was_loaded_without(
    site: Site, database: sqlite3.Connection
) -> None:
    site.manage("migrate", "airfare", "0003")
    database.execute("DROP TABLE sqlite_stat1")
    site.manage("migrate", "airfare")
    [(tables,)] = database.execute("SELECT count(DISTINCT tbl) FROM sqlite_stat1 WHERE tbl LIKE 'airfare%'")
    assert tables == 2
